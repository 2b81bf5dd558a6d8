// The compressed bytes of a layer on their way in: a window of a file, the rest of a pipe, or memory, read chunk by chunk and
// hashed as they pass, so that the digest is known at the end without a second look.
//
// A window is read in place by pread(2): a blob inside an archive needs no copy. Owned by the caller: init, then finish.
#ifndef COFFER_IMAGES_INPUT_H
#define COFFER_IMAGES_INPUT_H

#include "images/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define INPUT_TO_END UINT64_MAX

// So many bytes of what came before a piece stand in memory in front of it.
enum { INPUT_KEPT_BYTES = 16 };

struct input {
    int fd;          // borrowed; -1: memory
    bool seekable;   // read by pread at `offset`, which leaves the file's position alone
    uint64_t offset; // where the next chunk begins
    uint64_t left;   // bytes of the window not yet read; INPUT_TO_END: until end of file
    uint64_t bytes;  // handed out so far
    const uint8_t *memory;
    size_t step;       // largest piece handed out
    uint8_t *chunk;    // INPUT_KEPT_BYTES, then the piece
    size_t chunk_size; // of the piece
    bool hashing;
    struct hasher hasher;
};

// `length` may be INPUT_TO_END. A window of a file that ends before its length is ERR_CORRUPT when input_next() gets there.
// With algorithm DIGEST_NONE nothing is hashed.
void input_init_file(struct input *input, int fd, uint64_t offset, uint64_t length, enum digest_algorithm algorithm);
void input_init_pipe(struct input *input, int fd, uint64_t length, enum digest_algorithm algorithm);
void input_init_memory(struct input *input, const void *data, size_t size, enum digest_algorithm algorithm);
void input_finish(struct input *input);

// The next bytes, valid until the next call; *ret_size is 0 at the end, and only there.
int input_next(struct input *input, const uint8_t **ret_data, size_t *ret_size, struct err *err) MUST_CHECK;

// The digest of all that was handed out. Only once, at the end.
void input_digest(struct input *input, struct digest *ret_digest);

#endif
