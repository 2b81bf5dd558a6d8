#include "runtime/engine/log_json.h"

#include "runtime/base/buf.h"

#include <stdint.h>
#include <string.h>

static bool is_plain(unsigned char byte) {
    return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

// The length of the UTF-8 sequence at data, 0 if there is none: RFC 3629, no overlong forms, no surrogates.
static size_t sequence_length(const unsigned char *data, size_t size) {
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, length;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
        {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (data[0] < forms[i].first_min || data[0] > forms[i].first_max) {
            continue;
        }
        if (size < forms[i].length || data[1] < forms[i].second_min || data[1] > forms[i].second_max) {
            return 0;
        }
        for (size_t at = 2; at < forms[i].length; at++) {
            if ((data[at] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return forms[i].length;
    }
    return 0;
}

static void add_byte(struct buf *buf, unsigned char byte) {
    static const struct {
        char byte;
        const char *text;
    } short_forms[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}};
    for (size_t i = 0; i < ARRAY_LEN(short_forms); i++) {
        if (byte == (unsigned char)short_forms[i].byte) {
            buf_add_string(buf, short_forms[i].text);
            return;
        }
    }
    if (byte < ' ') {
        buf_add_format(buf, "\\u%04x", byte);
    } else {
        buf_add_string(buf, "\\ufffd");
    }
}

void log_json_add_escaped(struct buf *buf, const char *data, size_t size) {
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t at = 0; at < size;) {
        size_t plain = at;
        while (plain < size && is_plain(bytes[plain])) {
            plain++;
        }
        if (plain < size && bytes[plain] >= 0x80) {
            plain += sequence_length(bytes + plain, size - plain);
        }
        if (plain > at) {
            buf_add(buf, data + at, plain - at);
            at = plain;
        } else {
            add_byte(buf, bytes[at++]);
        }
    }
}

// --- reading ---

bool log_json_take(struct log_json *json, char wanted) {
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t')) {
        json->at++;
    }
    if (json->at == json->end || *json->at != wanted) {
        return false;
    }
    json->at++;
    return true;
}

static bool take_hex(struct log_json *json, uint32_t *ret) {
    if (json->end - json->at < 4) {
        return false;
    }
    *ret = 0;
    for (unsigned i = 0; i < 4; i++) {
        char byte = *json->at++;
        uint32_t digit = byte >= '0' && byte <= '9'   ? (uint32_t)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (uint32_t)(byte - 'a' + 10)
                         : byte >= 'A' && byte <= 'F' ? (uint32_t)(byte - 'A' + 10)
                                                      : 16;
        if (digit > 15) {
            return false;
        }
        *ret = *ret << 4 | digit;
    }
    return true;
}

static void add_utf8(struct buf *buf, uint32_t code) {
    if (code < 0x80) {
        buf_add_char(buf, (char)code);
    } else if (code < 0x800) {
        const unsigned char bytes[] = {(unsigned char)(0xc0 | code >> 6), (unsigned char)(0x80 | (code & 0x3f))};
        buf_add(buf, bytes, sizeof(bytes));
    } else if (code < 0x10000) {
        const unsigned char bytes[] = {(unsigned char)(0xe0 | code >> 12), (unsigned char)(0x80 | (code >> 6 & 0x3f)),
                                       (unsigned char)(0x80 | (code & 0x3f))};
        buf_add(buf, bytes, sizeof(bytes));
    } else {
        const unsigned char bytes[] = {(unsigned char)(0xf0 | code >> 18), (unsigned char)(0x80 | (code >> 12 & 0x3f)),
                                       (unsigned char)(0x80 | (code >> 6 & 0x3f)), (unsigned char)(0x80 | (code & 0x3f))};
        buf_add(buf, bytes, sizeof(bytes));
    }
}

// What stands behind \u: half of a pair alone is U+FFFD.
static bool take_code(struct log_json *json, struct buf *buf) {
    uint32_t code, low;
    if (!take_hex(json, &code)) {
        return false;
    }
    if (code >= 0xd800 && code < 0xdc00 && json->end - json->at >= 6 && json->at[0] == '\\' && json->at[1] == 'u') {
        struct log_json next = {.at = json->at + 2, .end = json->end};
        if (take_hex(&next, &low) && low >= 0xdc00 && low < 0xe000) {
            *json = next;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    add_utf8(buf, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return true;
}

static bool take_escape(struct log_json *json, struct buf *buf) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (json->at == json->end) {
        return false;
    }
    char letter = *json->at++;
    if (letter == 'u') {
        return take_code(json, buf);
    }
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found) {
        buf_add_char(buf, meant[found - letters]);
    }
    return found != NULL;
}

bool log_json_take_string(struct log_json *json, struct buf *buf) {
    if (!log_json_take(json, '"')) {
        return false;
    }
    while (json->at < json->end) {
        const char *plain = json->at;
        while (json->at < json->end && *json->at != '"' && *json->at != '\\') {
            json->at++;
        }
        buf_add(buf, plain, (size_t)(json->at - plain));
        if (json->at < json->end && *json->at++ == '"') {
            return true;
        }
        if (!take_escape(json, buf)) {
            return false;
        }
    }
    return false;
}
