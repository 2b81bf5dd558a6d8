// Bytes that come piece by piece, whoever brings them, and where they go: so that who writes a blob down need not know whether it
// comes from a file, a pipe, a registry or a decompressor.
#ifndef COFFER_IMAGES_PIECES_H
#define COFFER_IMAGES_PIECES_H

#include "images/digest.h"
#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct input;

struct pieces {
    // The next piece, valid until the next call; *ret_size 0: the end, which is reached only when all was sound.
    int (*next)(void *context, const uint8_t **ret_data, size_t *ret_size, struct err *err);
    void *context;
};

struct sink {
    int (*write)(void *context, const void *data, size_t size, struct err *err);
    void *context;
};

#define PIECES_ANY_SIZE UINT64_MAX

// What an input hands out: a window of a file, a pipe, or memory (images/input.h).
struct pieces pieces_of_input(struct input *input);

// A descriptor, borrowed: context is a pointer to it.
struct sink sink_to_fd(int *fd);

// Passes all of them on, and proves that they are `size` bytes (or PIECES_ANY_SIZE) with this digest: ERR_CORRUPT when they are
// not, and never a byte more than `size` is passed on. *ret_size may be NULL.
int pieces_pass(const struct pieces *pieces, const struct sink *sink, const struct digest *digest, uint64_t size,
                uint64_t *ret_size, struct err *err) MUST_CHECK;

#endif
