#include "images/inflate.h"

#include "images/inflate_backend.h"
#include "images/input.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// deflate cannot do better than 1032:1, so only a zstd stream can get beyond; real layers stay far below. Counted from a first
// stretch on, so that a small file of zeros is nobody's bomb.
enum { MAX_RATIO = 1100, RATIO_FREE_BYTES = 64 << 20 };

static const char *const names[] = {
    [COMPRESSION_ANY] = "any",
    [COMPRESSION_NONE] = "uncompressed",
    [COMPRESSION_GZIP] = "gzip",
    [COMPRESSION_ZSTD] = "zstd",
};
static_assert(ARRAY_LEN(names) == COMPRESSION_COUNT, "a compression without a name");

const char *compression_name(enum compression compression) {
    return compression < COMPRESSION_COUNT ? names[compression] : "unknown";
}

void inflate_init(struct inflate *inflate, struct input *input, const struct inflate_options *options) {
    *inflate = (struct inflate){.input = input, .options = *options};
    inflate->out = mem_resize(NULL, INFLATE_BUFFER_SIZE, 1);
    hasher_init(&inflate->hasher, DIGEST_SHA256);
}

void inflate_finish(struct inflate *inflate) {
    if (inflate->backend) {
        inflate->backend->destroy(inflate->backend_state);
    }
    free(inflate->out);
    *inflate = (struct inflate){0};
}

int inflate_more_input(struct inflate *inflate, struct err *err) {
    if (inflate->in_size > 0 || inflate->in_ended) {
        return 0;
    }
    if (input_next(inflate->input, &inflate->in, &inflate->in_size, err) < 0) {
        return -1;
    }
    inflate->in_ended = inflate->in_size == 0;
    return 0;
}

// gzip: RFC 1952; zstd frames and skippable frames: RFC 8878. No tar begins with these: its first bytes are a name, and the
// checksum of the header behind it would have to agree too.
static enum compression detect(const uint8_t *data, size_t size) {
    if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b) {
        return COMPRESSION_GZIP;
    }
    if (size >= 4 && data[0] == 0x28 && data[1] == 0xb5 && data[2] == 0x2f && data[3] == 0xfd) {
        return COMPRESSION_ZSTD;
    }
    if (size >= 4 && (data[0] & 0xf0) == 0x50 && data[1] == 0x2a && data[2] == 0x4d && data[3] == 0x18) {
        return COMPRESSION_ZSTD;
    }
    return COMPRESSION_NONE;
}

static int start(struct inflate *inflate, struct err *err) {
    if (inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    enum compression found = detect(inflate->in, inflate->in_size);
    enum compression declared = inflate->options.declared;
    if (declared != COMPRESSION_ANY && declared != found) {
        return err_set(err, ERR_CORRUPT, "data is %s, but the media type says %s", compression_name(found),
                       compression_name(declared));
    }
    inflate->compression = found;
    switch (found) {
    case COMPRESSION_GZIP:
        inflate->backend = !inflate->options.without_isal && inflate_has_isal() ? &inflate_backend_isal : &inflate_backend_zlib;
        break;
    case COMPRESSION_ZSTD:
        inflate->backend = &inflate_backend_zstd;
        break;
    default:
        inflate->backend = &inflate_backend_plain;
        break;
    }
    inflate->backend_state = inflate->backend->create();
    return 0;
}

static int check_limits(const struct inflate *inflate, struct err *err) {
    uint64_t limit = inflate->options.max_bytes;
    if (limit > 0 && inflate->bytes > limit) {
        return err_set(err, ERR_INPUT, "data unpacks to more than the limit of %llu bytes", (unsigned long long)limit);
    }
    if (!inflate->options.any_ratio && inflate->bytes > RATIO_FREE_BYTES && inflate->bytes / MAX_RATIO > inflate->input->bytes) {
        return err_set(err, ERR_INPUT, "data unpacks to more than %d times its size", MAX_RATIO);
    }
    return 0;
}

int inflate_next(struct inflate *inflate, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    if (inflate->compression == COMPRESSION_ANY && start(inflate, err) < 0) {
        return -1;
    }
    // Always filled to the brim: a reader of 512-byte blocks never finds one torn, except at the end.
    size_t size = 0;
    while (size < INFLATE_BUFFER_SIZE && !inflate->ended) {
        size_t got = 0;
        if (inflate->backend->run(inflate->backend_state, inflate, inflate->out + size, INFLATE_BUFFER_SIZE - size, &got, err) <
            0) {
            return -1;
        }
        size += got;
    }
    inflate->bytes += size;
    if (check_limits(inflate, err) < 0) {
        return -1;
    }
    if (!inflate->options.unhashed) {
        hasher_update(&inflate->hasher, inflate->out, size);
    }
    *ret_data = inflate->out;
    *ret_size = size;
    return 0;
}

void inflate_digest(struct inflate *inflate, struct digest *ret_digest) {
    hasher_finish(&inflate->hasher, ret_digest);
}

void inflate_prepare(void) {
    (void)inflate_has_isal();
}
