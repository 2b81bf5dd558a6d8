// A layer's tar again, bit by bit: what its record has, and the data of its files where they lie now.
//
// Whatever has been changed in the layer's directory since shows in the diff id. Everything read is foreign, so that this runs in
// the unpacker, too (images/repack_worker.h).
#ifndef COFFER_IMAGES_REPACK_H
#define COFFER_IMAGES_REPACK_H

#include "images/digest.h"
#include "images/inflate.h"
#include "runtime/base/attr.h"

#include <stdint.h>

struct err;
struct input;

struct repack_options {
    int output_fd; // where the tar goes, borrowed; -1: nowhere, only the digests count
    enum compression compression;

    // Called now and then with the bytes of the tar so far; NULL: not at all.
    void (*progress)(void *context, uint64_t in_bytes, uint64_t out_bytes);
    void *progress_context;
};

struct repack_result {
    struct digest diff_id;
    uint64_t tar_size;
    struct digest digest; // of what went to output_fd
    uint64_t size;
};

// record: the layer's, from its start; dir_fd: the layer's directory. Errors name the entry.
int repack_layer(struct input *record, int dir_fd, const struct repack_options *options, struct repack_result *ret,
                 struct err *err) MUST_CHECK;

#endif
