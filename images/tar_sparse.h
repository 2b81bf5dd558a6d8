// The map of a sparse member: which runs of the file the archive's data stands for. Private to the room.
// Four forms of it exist: old GNU headers, and GNU's pax formats 0.0, 0.1 and 1.0 (GNU tar manual, "Storing Sparse Files").
#ifndef COFFER_IMAGES_TAR_SPARSE_H
#define COFFER_IMAGES_TAR_SPARSE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { TAR_MAX_SEGMENTS = 1 << 18 };

struct tar_segment {
    uint64_t offset;
    uint64_t size;
};

struct tar_sparse {
    bool in_use; // the current member is sparse
    uint64_t real_size;
    struct tar_segment *segments;
    size_t count, room;
    size_t current;        // the segment that the data stands in
    uint64_t current_done; // bytes of it handed out
};

void tar_sparse_finish(struct tar_sparse *sparse);
void tar_sparse_clear(struct tar_sparse *sparse); // keeps the memory

int tar_sparse_add(struct tar_sparse *sparse, uint64_t offset, uint64_t size, struct err *err) MUST_CHECK;

// Ascending, apart, inside the file, and together as large as the archive's data.
int tar_sparse_check(const struct tar_sparse *sparse, uint64_t data_size, struct err *err) MUST_CHECK;

// For the next `size` bytes of data: their place in the file, and how many of them stand together there.
size_t tar_sparse_place(struct tar_sparse *sparse, size_t size, uint64_t *ret_offset);

#endif
