#include "runtime/engine/log_record.h"

#include "runtime/base/buf.h"
#include "runtime/base/timestamp.h"
#include "runtime/engine/log_json.h"

#include <string.h>

static const char *const stream_names[] = {[LOG_STDOUT] = "stdout", [LOG_STDERR] = "stderr"};

const char *log_stream_name(enum log_stream stream) {
    return stream_names[stream];
}

static char *put(char *at, const char *data, size_t size) {
    return size > 0 ? mempcpy(at, data, size) : at; // of no bytes the pointer may be NULL
}

void log_record_add_text(struct buf *buf, const struct log_piece *piece) {
    enum { HEAD_BYTES = 10 }; // " stdout F "
    size_t time_size = strlen(piece->time);
    char *at = buf_reserve(buf, time_size + HEAD_BYTES + piece->first_size + piece->second_size + 1);
    at = put(at, piece->time, time_size);
    *at++ = ' ';
    at = put(at, stream_names[piece->stream], 6);
    at = put(at, piece->ends ? " F " : " P ", 3);
    at = put(at, piece->first, piece->first_size);
    at = put(at, piece->second, piece->second_size);
    *at++ = '\n';
    *at = '\0';
    buf->size = (size_t)(at - buf->data);
}

void log_record_add_json(struct buf *buf, const struct log_piece *piece, const char *attributes) {
    buf_add_string(buf, "{\"log\":\"");
    log_json_add_escaped(buf, piece->first, piece->first_size);
    log_json_add_escaped(buf, piece->second, piece->second_size);
    const char *const rest[] = {
        piece->ends ? "\\n" : "",
        "\",\"stream\":\"",
        stream_names[piece->stream],
        "\",",
        attributes,
        "\"time\":\"",
        piece->time,
        "\"}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
        buf_add_string(buf, rest[i]);
    }
}

void log_record_add_attributes(struct buf *buf, const char *tag) {
    buf_add_string(buf, "\"attrs\":{\"tag\":\"");
    log_json_add_escaped(buf, tag, strlen(tag));
    buf_add_string(buf, "\"},");
}

static bool find_stream(const char *text, size_t size, enum log_stream *ret) {
    for (size_t i = 0; i < LOG_STREAM_COUNT; i++) {
        if (strlen(stream_names[i]) == size && memcmp(text, stream_names[i], size) == 0) {
            *ret = (enum log_stream)i;
            return true;
        }
    }
    return false;
}

// --- k8s-file ---

// The word at *at, up to a space or the end, and moves behind that space.
static size_t take_word(const char **at, const char *end, const char **ret) {
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    *ret = *at;
    *at = space ? space + 1 : end;
    return (size_t)((space ? space : end) - *ret);
}

static bool parse_text(const char *line, size_t size, struct log_record *ret) {
    const char *at = line, *end = line + size, *word;
    size_t length = take_word(&at, end, &word);
    if (length == 0 || timestamp_parse(word, length, &ret->time_ns) != length) {
        return false;
    }
    length = take_word(&at, end, &word);
    if (!find_stream(word, length, &ret->stream)) {
        return false;
    }
    // Further tags may stand behind a colon.
    length = take_word(&at, end, &word);
    if (length == 0 || (word[0] != 'F' && word[0] != 'P') || (length > 1 && word[1] != ':')) {
        return false;
    }
    ret->ends = word[0] == 'F';
    ret->text = at;
    ret->size = (size_t)(end - at);
    return true;
}

// --- json-file ---

enum member { MEMBER_LOG, MEMBER_STREAM, MEMBER_TIME, MEMBER_TAG, MEMBER_COUNT };

static const char *const member_names[] = {
    [MEMBER_LOG] = "log",
    [MEMBER_STREAM] = "stream",
    [MEMBER_TIME] = "time",
    [MEMBER_TAG] = "tag",
};

// Where in the scratch the values are: it may move while it grows.
struct members {
    size_t at[MEMBER_COUNT], size[MEMBER_COUNT];
    bool found[MEMBER_COUNT];
};

// A name, a colon and a string; or the object `attrs` of such.
static bool take_member(struct log_json *json, struct buf *scratch, struct members *members, bool inner);

static bool take_object(struct log_json *json, struct buf *scratch, struct members *members, bool inner) {
    if (!log_json_take(json, '{')) {
        return false;
    }
    do {
        if (!take_member(json, scratch, members, inner)) {
            return false;
        }
    } while (log_json_take(json, ','));
    return log_json_take(json, '}');
}

static bool take_member(struct log_json *json, struct buf *scratch, struct members *members, bool inner) {
    size_t name = scratch->size;
    if (!log_json_take_string(json, scratch) || !log_json_take(json, ':')) {
        return false;
    }
    buf_add_char(scratch, '\0');
    if (!inner && strcmp(scratch->data + name, "attrs") == 0) {
        return take_object(json, scratch, members, true);
    }
    size_t at = scratch->size;
    if (!log_json_take_string(json, scratch)) {
        return false;
    }
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (strcmp(scratch->data + name, member_names[i]) == 0 && inner == (i == MEMBER_TAG)) {
            members->at[i] = at;
            members->size[i] = scratch->size - at;
            members->found[i] = true;
        }
    }
    buf_add_char(scratch, '\0');
    return true;
}

static bool parse_json(const char *line, size_t size, struct buf *scratch, struct log_record *ret) {
    struct log_json json = {.at = line, .end = line + size};
    struct members members = {0};
    buf_clear(scratch);
    if (!take_object(&json, scratch, &members, false) || json.at != json.end || !members.found[MEMBER_LOG] ||
        !members.found[MEMBER_STREAM] || !members.found[MEMBER_TIME]) {
        return false;
    }
    size_t length = members.size[MEMBER_TIME];
    if (timestamp_parse(scratch->data + members.at[MEMBER_TIME], length, &ret->time_ns) != length ||
        !find_stream(scratch->data + members.at[MEMBER_STREAM], members.size[MEMBER_STREAM], &ret->stream)) {
        return false;
    }
    ret->text = scratch->data + members.at[MEMBER_LOG];
    ret->size = members.size[MEMBER_LOG];
    ret->ends = ret->size > 0 && ret->text[ret->size - 1] == '\n';
    ret->size -= ret->ends;
    ret->tag = members.found[MEMBER_TAG] ? scratch->data + members.at[MEMBER_TAG] : NULL;
    return true;
}

bool log_record_parse(const char *line, size_t size, struct buf *scratch, struct log_record *ret) {
    *ret = (struct log_record){0};
    return size > 0 && line[0] == '{' ? parse_json(line, size, scratch, ret) : parse_text(line, size, ret);
}
