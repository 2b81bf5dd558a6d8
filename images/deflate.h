// A compressor that is pushed, with the digest of what it makes: inflate.h's other half, for layers on their way out.
//
// gzip by ISA-L where the host has it, by zlib elsewhere; zstd by libzstd; or the bytes as they are. The same bytes give the same
// result on one host, not on every one. No names and no times are in it.
#ifndef COFFER_IMAGES_DEFLATE_H
#define COFFER_IMAGES_DEFLATE_H

#include "images/digest.h"
#include "images/inflate.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deflate_backend;
struct err;

struct deflate_options {
    int fd;                       // where it goes, borrowed; -1: nowhere, only the digest counts
    enum compression compression; // not ANY
    bool without_isal;            // zlib even where ISA-L is there (tests)
};

struct deflate {
    struct deflate_options options;
    const struct deflate_backend *backend;
    void *backend_state;
    uint8_t *out;
    uint64_t bytes; // written so far
    struct hasher hasher;
};

void deflate_init(struct deflate *deflate, const struct deflate_options *options);
void deflate_finish(struct deflate *deflate);
#define AUTO_DEFLATE AUTO(deflate_finish)

int deflate_write(struct deflate *deflate, const void *data, size_t size, struct err *err) MUST_CHECK;

// Writes out what is left. Once, at the end; `bytes` is the whole size then.
int deflate_end(struct deflate *deflate, struct digest *ret_digest, struct err *err) MUST_CHECK;

// Loads what is loaded on first use, for a process that will lose its sight of /usr. Cannot fail.
void deflate_prepare(void);

#endif
