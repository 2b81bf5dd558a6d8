#include "specs/json_write.h"

#include "runtime/base/buf.h"

#include <inttypes.h>
#include <string.h>

// The length of the UTF-8 character at text, 0 if it is none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
static size_t utf8_length(const unsigned char *text) {
    if (text[0] < 0x80) {
        return 1;
    }
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) { // the NUL at the end, too
            return 0;
        }
    }
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool no_character = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return overlong || no_character ? 0 : length;
}

static void add_escaped(struct buf *buf, unsigned char byte) {
    static const char letters[] = "\b\f\n\r\t\"\\";
    static const char escapes[] = "bfnrt\"\\";
    const char *letter = strchr(letters, byte);
    if (letter) {
        buf_add_char(buf, '\\');
        buf_add_char(buf, escapes[letter - letters]);
    } else {
        buf_add_format(buf, "\\u%04x", byte);
    }
}

void json_add_quoted(struct buf *buf, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    buf_add_char(buf, '"');
    while (*at) {
        size_t plain = 0;
        size_t length = 0;
        while (at[plain] >= 0x20 && at[plain] != '"' && at[plain] != '\\' && at[plain] != 0x7f &&
               (length = utf8_length(at + plain)) > 0) {
            plain += length;
        }
        buf_add(buf, at, plain);
        at += plain;
        if (*at >= 0x80) {
            buf_add_string(buf, "\xef\xbf\xbd");
            at++;
        } else if (*at) {
            add_escaped(buf, *at++);
        }
    }
    buf_add_char(buf, '"');
}

static void new_line(struct json_writer *writer) {
    if (writer->indent) {
        buf_add_char(writer->buf, '\n');
        for (unsigned i = 0; i < writer->depth; i++) {
            buf_add_string(writer->buf, writer->indent);
        }
    }
}

static void begin(struct json_writer *writer, const char *name) {
    if (writer->filled) {
        buf_add_char(writer->buf, ',');
    }
    if (writer->depth > 0) {
        new_line(writer);
    }
    if (name) {
        json_add_quoted(writer->buf, name);
        buf_add_string(writer->buf, writer->indent ? ": " : ":");
    }
    writer->filled = true;
}

void json_write_open(struct json_writer *writer, const char *name, char bracket) {
    begin(writer, name);
    buf_add_char(writer->buf, bracket);
    writer->depth++;
    writer->filled = false;
}

void json_write_close(struct json_writer *writer, char bracket) {
    writer->depth--;
    if (writer->filled) {
        new_line(writer);
    }
    buf_add_char(writer->buf, bracket);
    writer->filled = true;
    if (writer->depth == 0 && writer->indent) {
        buf_add_char(writer->buf, '\n');
    }
}

void json_write_string(struct json_writer *writer, const char *name, const char *value) {
    begin(writer, name);
    json_add_quoted(writer->buf, value);
}

void json_write_bool(struct json_writer *writer, const char *name, bool value) {
    begin(writer, name);
    buf_add_string(writer->buf, value ? "true" : "false");
}

void json_write_i64(struct json_writer *writer, const char *name, int64_t value) {
    begin(writer, name);
    buf_add_format(writer->buf, "%" PRId64, value);
}

void json_write_u64(struct json_writer *writer, const char *name, uint64_t value) {
    begin(writer, name);
    buf_add_format(writer->buf, "%" PRIu64, value);
}

void json_write_literal(struct json_writer *writer, const char *name, const char *text) {
    begin(writer, name);
    buf_add_string(writer->buf, text);
}

void json_write_strings(struct json_writer *writer, const char *name, const char *const *items, size_t count) {
    json_write_open(writer, name, '[');
    for (size_t i = 0; i < count; i++) {
        json_write_string(writer, NULL, items[i]);
    }
    json_write_close(writer, ']');
}

void json_write_pairs(struct json_writer *writer, const char *name, const struct text_pair *items, size_t count) {
    json_write_open(writer, name, '{');
    for (size_t i = 0; i < count; i++) {
        json_write_string(writer, items[i].name, items[i].value);
    }
    json_write_close(writer, '}');
}
