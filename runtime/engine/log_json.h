// JSON strings of a container's bytes, which may be anything: a NUL too, and what is not UTF-8.
#ifndef COFFER_ENGINE_LOG_JSON_H
#define COFFER_ENGINE_LOG_JSON_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;

// Adds the bytes as they stand between the quotes of a JSON string (RFC 8259, 7). What is not UTF-8 becomes U+FFFD.
void log_json_add_escaped(struct buf *buf, const char *data, size_t size);

// Where a reader stands in a text that need not end in NUL.
struct log_json {
    const char *at, *end;
};

// Takes this character, with blanks before it.
bool log_json_take(struct log_json *json, char wanted);

// Takes a string and adds its bytes to buf. False when there is none; then the text is damaged.
bool log_json_take_string(struct log_json *json, struct buf *buf) MUST_CHECK;

#endif
