// Writing JSON documents, member by member, straight into a buf: indented for people, or on one line.
//
//     struct json_writer writer = {.buf = &text, .indent = "\t"};
//     json_write_open(&writer, NULL, '{');
//     json_write_string(&writer, "id", id);
//     json_write_close(&writer, '}');
//
// Members of an object have a name, items of an array and the root have NULL. Nothing can fail.
#ifndef COFFER_SPECS_JSON_WRITE_H
#define COFFER_SPECS_JSON_WRITE_H

#include "specs/values.h"

struct buf;

struct json_writer {
    struct buf *buf;
    const char *indent; // of one level; NULL: all on one line
    unsigned depth;
    bool filled; // something stands before the next member at this level
};

// bracket: '{' or '[', and '}' or ']'. Closing the root ends an indented document with a newline.
void json_write_open(struct json_writer *writer, const char *name, char bracket);
void json_write_close(struct json_writer *writer, char bracket);

void json_write_string(struct json_writer *writer, const char *name, const char *value);
void json_write_bool(struct json_writer *writer, const char *name, bool value);
void json_write_i64(struct json_writer *writer, const char *name, int64_t value);
void json_write_u64(struct json_writer *writer, const char *name, uint64_t value);
void json_write_literal(struct json_writer *writer, const char *name, const char *text); // null, or a number: written as it is
void json_write_strings(struct json_writer *writer, const char *name, const char *const *items, size_t count);
void json_write_pairs(struct json_writer *writer, const char *name, const struct text_pair *items, size_t count);

// Appends text as a JSON string, quoted and escaped. Bytes that are not UTF-8 become U+FFFD: JSON has no other way.
void json_add_quoted(struct buf *buf, const char *text);

#endif
