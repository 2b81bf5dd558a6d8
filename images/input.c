#include "images/input.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Small enough to stay in the second-level cache between the hash and the inflater.
enum { CHUNK_SIZE = 128 << 10 };

// A pipe may give single bytes: not so small that the first piece does not show what kind of data this is, nor each call so dear.
enum { LEAST_FROM_PIPE = 4096 };

static void init(struct input *input, int fd, uint64_t length, enum digest_algorithm algorithm) {
    *input = (struct input){.fd = fd, .left = length, .step = CHUNK_SIZE, .hashing = algorithm != DIGEST_NONE};
    if (input->hashing) {
        hasher_init(&input->hasher, algorithm);
    }
}

void input_init_file(struct input *input, int fd, uint64_t offset, uint64_t length, enum digest_algorithm algorithm) {
    init(input, fd, length, algorithm);
    input->seekable = true;
    input->offset = offset;
}

void input_init_pipe(struct input *input, int fd, uint64_t length, enum digest_algorithm algorithm) {
    init(input, fd, length, algorithm);
}

void input_init_memory(struct input *input, const void *data, size_t size, enum digest_algorithm algorithm) {
    init(input, -1, size, algorithm);
    input->memory = data;
}

void input_finish(struct input *input) {
    free(input->chunk);
    *input = (struct input){.fd = -1};
}

static ssize_t read_some(const struct input *input, uint8_t *to, size_t wanted) {
    ssize_t got;
    do {
        got = input->seekable ? pread(input->fd, to, wanted, (off_t)input->offset) : read(input->fd, to, wanted);
    } while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t read_chunk(struct input *input, size_t wanted) {
    size_t least = input->seekable ? 1 : wanted < LEAST_FROM_PIPE ? wanted : LEAST_FROM_PIPE;
    size_t done = 0;
    while (done < least) {
        ssize_t got = read_some(input, input->chunk + INPUT_KEPT_BYTES + done, wanted - done);
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int input_next(struct input *input, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    size_t size = input->left < input->step ? (size_t)input->left : input->step;
    if (input->fd < 0) {
        *ret_data = input->memory + input->bytes;
    } else {
        if (!input->chunk) {
            input->chunk = mem_alloc(INPUT_KEPT_BYTES + CHUNK_SIZE);
        }
        memmove(input->chunk, input->chunk + input->chunk_size, INPUT_KEPT_BYTES);
        ssize_t got = size > 0 ? read_chunk(input, size) : 0;
        if (got < 0) {
            return err_sys(err, "read compressed data");
        }
        if (got == 0 && size > 0 && input->left != INPUT_TO_END) {
            return err_set(err, ERR_CORRUPT, "data is %llu bytes short of its stated size of %llu", (unsigned long long)input->left,
                           (unsigned long long)input->bytes + input->left);
        }
        size = (size_t)got;
        input->chunk_size = size;
        *ret_data = input->chunk + INPUT_KEPT_BYTES;
    }
    input->offset += size;
    input->bytes += size;
    input->left -= input->left == INPUT_TO_END ? 0 : size;
    if (input->hashing) {
        hasher_update(&input->hasher, *ret_data, size);
    }
    *ret_size = size;
    return 0;
}

void input_digest(struct input *input, struct digest *ret_digest) {
    if (input->hashing) {
        hasher_finish(&input->hasher, ret_digest);
    } else {
        *ret_digest = (struct digest){0};
    }
}
