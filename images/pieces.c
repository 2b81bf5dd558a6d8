#include "images/pieces.h"

#include "images/input.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

static int next_of_input(void *context, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    return input_next(context, ret_data, ret_size, err);
}

struct pieces pieces_of_input(struct input *input) {
    return (struct pieces){.next = next_of_input, .context = input};
}

static int write_to_fd(void *context, const void *data, size_t size, struct err *err) {
    const int *fd = context;
    return fd_write_all(*fd, data, size) < 0 ? err_sys(err, "write it") : 0;
}

struct sink sink_to_fd(int *fd) {
    return (struct sink){.write = write_to_fd, .context = fd};
}

int pieces_pass(const struct pieces *pieces, const struct sink *sink, const struct digest *digest, uint64_t size,
                uint64_t *ret_size, struct err *err) {
    struct hasher hasher;
    struct digest found;
    const uint8_t *data;
    size_t got;
    uint64_t done = 0;
    char text[DIGEST_TEXT_SIZE];
    hasher_init(&hasher, digest->algorithm);
    for (;; done += got) {
        if (pieces->next(pieces->context, &data, &got, err) < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        if (size != PIECES_ANY_SIZE && got > size - done) {
            return err_set(err, ERR_CORRUPT, "has more than its stated %llu bytes", (unsigned long long)size);
        }
        hasher_update(&hasher, data, got);
        if (sink->write(sink->context, data, got, err) < 0) {
            return -1;
        }
    }
    if (size != PIECES_ANY_SIZE && done != size) {
        return err_set(err, ERR_CORRUPT, "has %llu bytes, expected %llu", (unsigned long long)done, (unsigned long long)size);
    }
    hasher_finish(&hasher, &found);
    if (!digest_equal(&found, digest)) {
        return err_set(err, ERR_CORRUPT, "its digest is %s", digest_format(&found, text));
    }
    if (ret_size) {
        *ret_size = done;
    }
    return 0;
}
