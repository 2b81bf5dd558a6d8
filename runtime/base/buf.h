// A growing run of bytes. Zeroed is empty. data always has a NUL behind its last byte, so it reads as a string too.
#ifndef COFFER_BASE_BUF_H
#define COFFER_BASE_BUF_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; // NULL while empty
    size_t size;
    size_t room;
    bool borrowed; // data is the caller's: grown out of, never freed
};

// A buf that begins in an array of the caller's, which must outlive it: for texts that are mostly short, on hot paths.
#define BUF_IN(array) {.data = (array), .room = sizeof(array), .borrowed = true}

void buf_finish(struct buf *buf);
#define AUTO_BUF AUTO(buf_finish)

void buf_clear(struct buf *buf); // keeps the memory
char *buf_reserve(struct buf *buf, size_t more); // room for `more` bytes behind size; returns where they go
void buf_add(struct buf *buf, const void *data, size_t size);
void buf_add_string(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char byte);
void buf_add_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

// The contents as a string that the caller frees; "" when empty. The buf is empty afterwards.
char *buf_take(struct buf *buf);

// The contents as a string that the buf keeps; "" when empty.
const char *buf_string(const struct buf *buf);

#endif
