// Taking away what no image needs: layers, blobs, and what processes that died have left in staging.
#ifndef COFFER_IMAGES_GC_H
#define COFFER_IMAGES_GC_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;
struct store;
struct strv;

struct gc_result {
    struct strv *layers; // keys of the layers removed are added; NULL: not wanted
    uint64_t bytes;      // of their files
};

// Removes layers and blobs that no record names and nobody holds. What cannot be read is a reason to leave everything where it is.
int gc_run(const struct store *store, struct gc_result *result, struct err *err) MUST_CHECK;

// Cleans up behind dead processes, and removes partial files that are too old; costs four system calls when there is nothing. What
// cannot be done is told as a warning.
void gc_sweep(const struct store *store);

#endif
