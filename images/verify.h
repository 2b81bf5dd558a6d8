// Whether a layer's directory is what its tar makes of it: held against the record of that tar, entry by entry, and in what its
// files hold against the diff id.
//
// Names, types, modes, owners, times of change, sizes, targets of links, device numbers and extended attributes are compared as the
// unpacker set them; what is there and not in the tar is told, too. Everything read is foreign, so that this runs in the unpacker
// (images/verify_worker.h).
#ifndef COFFER_IMAGES_VERIFY_H
#define COFFER_IMAGES_VERIFY_H

#include "images/digest.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { VERIFY_MAX_DIFFERENCES = 100 }; // listed; more are counted

struct verify_options {
    bool single_id;  // owners were not kept
    bool no_devices; // device nodes need not be there: who unpacked could not make them

    // Called now and then with the bytes of the tar so far; NULL: not at all.
    void (*progress)(void *context, uint64_t in_bytes, uint64_t out_bytes);
    void *progress_context;
};

struct verify_difference {
    const char *path; // below the layer's root; "." is the root
    const char *problem;
};

struct verify_result {
    struct verify_difference *differences;
    size_t differences_count;
    uint64_t more;
    bool is_read; // what files hold, too: all are there, with their sizes
    struct digest diff_id;
    uint64_t tar_size;
    const char **opaque_dirs; // should be opaque, which takes more privilege to look at than this has
    size_t opaque_count;
    struct arena arena; // holds the lists
};

void verify_result_finish(struct verify_result *result);

// record_fd: the layer's record; dir_fd: its directory, opened for reading. The working directory is changed meanwhile, and is
// dir_fd's at the end. A record that makes no sense is an error.
int verify_layer(int record_fd, int dir_fd, const struct verify_options *options, struct verify_result *ret_result,
                 struct err *err) MUST_CHECK;

#endif
