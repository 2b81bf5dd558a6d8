// What a layer's directory does not keep of its tar: all but the data of its files. Written while the layer is unpacked, it makes
// the tar again, bit by bit (images/repack.h), so that the store need keep no blob of a layer to push or save it.
//
// The record is a tar without bodies (images/tar.h), compressed by zstd: headers, extensions, paddings, whatever stands behind the
// end. Fifty thousand files make about a megabyte.
#ifndef COFFER_IMAGES_TAR_RECORD_H
#define COFFER_IMAGES_TAR_RECORD_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct err;

#define TAR_RECORD_NAME "tar.zst" // beside a layer's fs/

struct tar_record {
    int fd;       // borrowed; -1: nothing is kept
    void *stream; // of libzstd
    uint8_t *in, *out;
    size_t in_size;
    int failed_errno;
};

// fd: an empty file, or -1. The level is libzstd's fastest that still finds one header in the next.
void tar_record_init(struct tar_record *record, int fd);
void tar_record_finish(struct tar_record *record);
#define AUTO_TAR_RECORD AUTO(tar_record_finish)

// As tar_reader.seen; context: the record. What fails is told by tar_record_end().
void tar_record_add(void *record, const void *data, size_t size);

// Writes out what is left. Once, at the end.
int tar_record_end(struct tar_record *record, struct err *err) MUST_CHECK;

#endif
