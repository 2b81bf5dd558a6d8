// Content digests: what names a blob. `sha256:<64 lower-case hex digits>` or `sha512:<128>`, as the OCI image specification
// (descriptor.md, "Digests") registers them; every other algorithm is refused by name.
//
// A struct digest is a plain value without pointers. One that came out of digest_parse() or a hasher holds nothing but lower-case
// hex digits, so it is safe as a file name: "sha256:../.." never gets that far (CVE-2024-3727).
#ifndef COFFER_IMAGES_DIGEST_H
#define COFFER_IMAGES_DIGEST_H

#include "runtime/base/attr.h"

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum digest_algorithm { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA512, DIGEST_ALGORITHM_COUNT };

enum {
    DIGEST_HEX_MAX = 2 * SHA512_DIGEST_SIZE,
    DIGEST_TEXT_SIZE = sizeof("sha512:") + DIGEST_HEX_MAX,
};

struct digest {
    enum digest_algorithm algorithm; // DIGEST_NONE: not set
    char hex[DIGEST_HEX_MAX + 1];
};

// "sha256" or "sha512"; "none" for DIGEST_NONE.
const char *digest_algorithm_name(enum digest_algorithm algorithm);

// Fails with ERR_INPUT on anything but the registered grammar: unknown algorithm, wrong length, upper-case digits, other bytes.
int digest_parse(const char *text, struct digest *ret_digest, struct err *err) MUST_CHECK;

// Both set and the same.
bool digest_equal(const struct digest *a, const struct digest *b);

// Writes "sha256:<hex>" and returns text. A digest that is not set gives "none:".
const char *digest_format(const struct digest *digest, char text[DIGEST_TEXT_SIZE]);

// An incremental hash. hasher_init() starts it; hasher_finish() writes the digest and starts anew. Needs no clean-up.
struct hasher {
    enum digest_algorithm algorithm;
    union {
        struct sha256_ctx sha256;
        struct sha512_ctx sha512;
    } state;
};

void hasher_init(struct hasher *hasher, enum digest_algorithm algorithm);
void hasher_update(struct hasher *hasher, const void *data, size_t size);
void hasher_finish(struct hasher *hasher, struct digest *ret_digest);

// The digest of a run of bytes in memory.
void digest_of(enum digest_algorithm algorithm, const void *data, size_t size, struct digest *ret_digest);

// The digest of `length` bytes of a file from `offset` on, by pread(2), so that the file's position is left alone.
// A file that ends earlier is ERR_CORRUPT; `what` names the file in the error's text.
int digest_of_file(int fd, uint64_t offset, uint64_t length, enum digest_algorithm algorithm, const char *what,
                   struct digest *ret_digest, struct err *err) MUST_CHECK;

#endif
