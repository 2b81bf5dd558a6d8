#include "images/tar_sparse.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdlib.h>

void tar_sparse_finish(struct tar_sparse *sparse) {
    free(sparse->segments);
    *sparse = (struct tar_sparse){0};
}

void tar_sparse_clear(struct tar_sparse *sparse) {
    sparse->in_use = false;
    sparse->real_size = 0;
    sparse->count = 0;
    sparse->current = 0;
    sparse->current_done = 0;
}

int tar_sparse_add(struct tar_sparse *sparse, uint64_t offset, uint64_t size, struct err *err) {
    if (sparse->count >= TAR_MAX_SEGMENTS) {
        return err_set(err, ERR_INPUT, "its sparse map has more than %d segments", TAR_MAX_SEGMENTS);
    }
    if (sparse->count == sparse->room) {
        sparse->room = sparse->room ? 2 * sparse->room : 64;
        sparse->segments = mem_resize(sparse->segments, sparse->room, sizeof(*sparse->segments));
    }
    sparse->segments[sparse->count++] = (struct tar_segment){.offset = offset, .size = size};
    return 0;
}

int tar_sparse_check(const struct tar_sparse *sparse, uint64_t data_size, struct err *err) {
    uint64_t end = 0, sum = 0;
    for (size_t i = 0; i < sparse->count; i++) {
        const struct tar_segment *segment = &sparse->segments[i];
        // All numbers are below 2^63, so neither sum overflows before it is compared.
        if (segment->offset < end || segment->offset + segment->size > sparse->real_size) {
            return err_set(err, ERR_INPUT, "its sparse map is out of order or beyond its size");
        }
        end = segment->offset + segment->size;
        sum += segment->size;
    }
    if (sum != data_size) {
        return err_set(err, ERR_INPUT, "its sparse map covers %llu bytes, but the archive has %llu", (unsigned long long)sum,
                       (unsigned long long)data_size);
    }
    return 0;
}

size_t tar_sparse_place(struct tar_sparse *sparse, size_t size, uint64_t *ret_offset) {
    while (sparse->current < sparse->count && sparse->current_done == sparse->segments[sparse->current].size) {
        sparse->current++;
        sparse->current_done = 0;
    }
    if (sparse->current == sparse->count) { // not reached: the check has compared the sums
        *ret_offset = sparse->real_size;
        return size;
    }
    const struct tar_segment *segment = &sparse->segments[sparse->current];
    uint64_t left = segment->size - sparse->current_done;
    size_t together = size < left ? size : (size_t)left;
    *ret_offset = segment->offset + sparse->current_done;
    sparse->current_done += together;
    return together;
}
