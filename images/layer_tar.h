// A layer of the store on its way out, as the tar it once was: for push and save, and to see whether it still is what it was.
#ifndef COFFER_IMAGES_LAYER_TAR_H
#define COFFER_IMAGES_LAYER_TAR_H

#include "images/layer.h"
#include "images/repack_worker.h"
#include "runtime/base/attr.h"

struct err;
struct store;

struct layer_tar {
    struct layer layer; // open, with a shared lock
    int record_fd;
    int fs_fd;
};

// Opens the layer by its key. One without a record, of an older coffer, is ERR_UNSUPPORTED.
int layer_tar_open(const struct store *store, const char *key, struct layer_tar *ret, struct err *err) MUST_CHECK;
void layer_tar_finish(struct layer_tar *tar);
#define AUTO_LAYER_TAR AUTO(layer_tar_finish)

// Starts to write it: output_fd and compression as repack_request has them. Borrows the layer until the end. NULL with err.
struct repack_worker *layer_tar_start(const struct layer_tar *tar, int output_fd, enum compression compression,
                                      struct err *err) MUST_CHECK;

// Waits for the end. What is not the layer's diff id is ERR_CORRUPT: then all that was written is rubbish.
int layer_tar_result(const struct layer_tar *tar, struct repack_worker *worker, struct repack_result *ret,
                     struct err *err) MUST_CHECK;

#endif
