// gzip and zstd streams for the tests.
#ifndef COFFER_TESTS_UNIT_COMPRESS_H
#define COFFER_TESTS_UNIT_COMPRESS_H

#include "runtime/base/buf.h"

#include <stdint.h>
#include <zlib.h>
#include <zstd.h>

// Appends one gzip member.
static inline void compress_gzip(struct buf *to, const void *data, size_t size) {
    z_stream stream = {0};
    if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return;
    }
    size_t room = deflateBound(&stream, size);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)buf_reserve(to, room);
    stream.avail_out = (uInt)room;
    deflate(&stream, Z_FINISH);
    to->size += room - stream.avail_out;
    to->data[to->size] = '\0';
    deflateEnd(&stream);
}

// Appends one zstd frame.
static inline void compress_zstd(struct buf *to, const void *data, size_t size) {
    size_t room = ZSTD_compressBound(size);
    char *at = buf_reserve(to, room);
    to->size += ZSTD_compress(at, room, data, size, 3);
    to->data[to->size] = '\0';
}

#endif
