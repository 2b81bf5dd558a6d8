#include "runtime/base/buf.h"

#include "runtime/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_finish(struct buf *buf) {
    if (!buf->borrowed) {
        free(buf->data);
    }
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf) {
    buf->size = 0;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

char *buf_reserve(struct buf *buf, size_t more) {
    size_t wanted = buf->size + more + 1;
    if (wanted > buf->room) {
        size_t room = buf->room ? buf->room : 64;
        while (room < wanted) {
            room *= 2;
        }
        char *before = buf->borrowed ? buf->data : NULL;
        buf->data = mem_resize(before ? NULL : buf->data, room, 1);
        if (before) {
            memcpy(buf->data, before, buf->size);
        }
        buf->borrowed = false;
        buf->room = room;
    }
    return buf->data + buf->size;
}

void buf_add(struct buf *buf, const void *data, size_t size) {
    char *at = buf_reserve(buf, size);
    if (size > 0) {
        memcpy(at, data, size);
    }
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void buf_add_string(struct buf *buf, const char *text) {
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char byte) {
    buf_add(buf, &byte, 1);
}

void buf_add_format(struct buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        char *at = buf_reserve(buf, (size_t)length);
        vsnprintf(at, (size_t)length + 1, format, again);
        buf->size += (size_t)length;
    }
    va_end(again);
}

char *buf_take(struct buf *buf) {
    char *taken = buf->data && !buf->borrowed ? buf->data : mem_copy_string(buf_string(buf));
    *buf = (struct buf){0};
    return taken;
}

const char *buf_string(const struct buf *buf) {
    return buf->size > 0 ? buf->data : "";
}
