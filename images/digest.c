#include "images/digest.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    size_t bytes;
} algorithms[] = {
    [DIGEST_NONE] = {"none", 0},
    [DIGEST_SHA256] = {"sha256", SHA256_DIGEST_SIZE},
    [DIGEST_SHA512] = {"sha512", SHA512_DIGEST_SIZE},
};
static_assert(ARRAY_LEN(algorithms) == DIGEST_ALGORITHM_COUNT, "an algorithm without a row");

const char *digest_algorithm_name(enum digest_algorithm algorithm) {
    return algorithm < DIGEST_ALGORITHM_COUNT ? algorithms[algorithm].name : algorithms[DIGEST_NONE].name;
}

static enum digest_algorithm find_algorithm(const char *name, size_t length) {
    for (enum digest_algorithm i = DIGEST_SHA256; i < DIGEST_ALGORITHM_COUNT; i++) {
        if (strlen(algorithms[i].name) == length && memcmp(algorithms[i].name, name, length) == 0) {
            return i;
        }
    }
    return DIGEST_NONE;
}

int digest_parse(const char *text, struct digest *ret_digest, struct err *err) {
    char quoted[QUOTE_SIZE];
    const char *colon = strchr(text, ':');
    enum digest_algorithm algorithm = colon ? find_algorithm(text, (size_t)(colon - text)) : DIGEST_NONE;
    if (algorithm == DIGEST_NONE) {
        return err_set(err, ERR_INPUT, "digest %s: expected sha256: or sha512: and lower-case hex digits",
                       quote_text(text, quoted));
    }
    const char *hex = colon + 1;
    size_t length = 2 * algorithms[algorithm].bytes;
    if (strlen(hex) != length || strspn(hex, "0123456789abcdef") != length) {
        return err_set(err, ERR_INPUT, "digest %s: expected %zu lower-case hex digits behind %s:", quote_text(text, quoted), length,
                       algorithms[algorithm].name);
    }
    struct digest digest = {.algorithm = algorithm};
    memcpy(digest.hex, hex, length);
    *ret_digest = digest;
    return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b) {
    return a->algorithm != DIGEST_NONE && a->algorithm == b->algorithm && strcmp(a->hex, b->hex) == 0;
}

const char *digest_format(const struct digest *digest, char text[DIGEST_TEXT_SIZE]) {
    snprintf(text, DIGEST_TEXT_SIZE, "%s:%s", digest_algorithm_name(digest->algorithm), digest->hex);
    return text;
}

void hasher_init(struct hasher *hasher, enum digest_algorithm algorithm) {
    assert(algorithm == DIGEST_SHA256 || algorithm == DIGEST_SHA512);
    hasher->algorithm = algorithm;
    if (algorithm == DIGEST_SHA512) {
        sha512_init(&hasher->state.sha512);
    } else {
        sha256_init(&hasher->state.sha256);
    }
}

void hasher_update(struct hasher *hasher, const void *data, size_t size) {
    if (hasher->algorithm == DIGEST_SHA512) {
        sha512_update(&hasher->state.sha512, size, data);
    } else {
        sha256_update(&hasher->state.sha256, size, data);
    }
}

void hasher_finish(struct hasher *hasher, struct digest *ret_digest) {
    uint8_t raw[SHA512_DIGEST_SIZE];
    size_t bytes = algorithms[hasher->algorithm].bytes;
    if (hasher->algorithm == DIGEST_SHA512) {
        sha512_digest(&hasher->state.sha512, bytes, raw);
    } else {
        sha256_digest(&hasher->state.sha256, bytes, raw);
    }
    static const char digits[] = "0123456789abcdef";
    *ret_digest = (struct digest){.algorithm = hasher->algorithm};
    for (size_t i = 0; i < bytes; i++) {
        ret_digest->hex[2 * i] = digits[raw[i] >> 4];
        ret_digest->hex[2 * i + 1] = digits[raw[i] & 15];
    }
}

void digest_of(enum digest_algorithm algorithm, const void *data, size_t size, struct digest *ret_digest) {
    struct hasher hasher;
    hasher_init(&hasher, algorithm);
    hasher_update(&hasher, data, size);
    hasher_finish(&hasher, ret_digest);
}

int digest_of_file(int fd, uint64_t offset, uint64_t length, enum digest_algorithm algorithm, const char *what,
                   struct digest *ret_digest, struct err *err) {
    enum { CHUNK = 256 << 10 }; // fits the second-level cache; larger is not faster
    AUTO_FREE uint8_t *chunk = mem_alloc(CHUNK);
    struct hasher hasher;
    hasher_init(&hasher, algorithm);
    for (uint64_t done = 0; done < length;) {
        size_t wanted = length - done < CHUNK ? (size_t)(length - done) : CHUNK;
        ssize_t got = pread(fd, chunk, wanted, (off_t)(offset + done));
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_sys(err, "read %s", what);
        }
        if (got == 0) {
            return err_set(err, ERR_CORRUPT, "%s: ends after %llu of %llu bytes", what, (unsigned long long)done,
                           (unsigned long long)length);
        }
        hasher_update(&hasher, chunk, (size_t)got);
        done += (uint64_t)got;
    }
    hasher_finish(&hasher, ret_digest);
    return 0;
}
