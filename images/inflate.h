// A decompressor that is pulled: inflate_next() hands out the next full buffer of plain bytes, hashed on the way, until the end.
//
// gzip goes through ISA-L where the host has it (a quarter of zlib's time), through zlib elsewhere; zstd through libzstd; plain tar
// passes through. Which one is told by the first bytes and held against the declared media type, where there is one.
// What a stream may be: one or more gzip members, or zstd frames, to the last byte: cut off or followed by anything else it is
// corrupt. Bombs end at the byte limit, or at a ratio that only a bomb has.
#ifndef COFFER_IMAGES_INFLATE_H
#define COFFER_IMAGES_INFLATE_H

#include "images/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct input;
struct inflate_backend;

enum compression { COMPRESSION_ANY, COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_COUNT };

struct inflate_options {
    enum compression declared; // by the media type; ANY: what the first bytes say
    uint64_t max_bytes;        // plain bytes; 0: no limit
    bool any_ratio;            // of what we have compressed ourselves
    bool without_isal;         // zlib even where ISA-L is there (tests)
    bool unhashed;             // nobody wants the digest
};

struct inflate {
    struct input *input; // borrowed
    struct inflate_options options;
    enum compression compression; // as found; ANY until the first call
    const uint8_t *in;            // what the backend has not yet taken of the input's chunk
    size_t in_size;
    bool in_ended; // the input has no more chunks
    bool ended;    // the last plain byte is in `out`
    uint8_t *out;
    uint64_t bytes; // plain bytes handed out so far
    struct hasher hasher;
    const struct inflate_backend *backend;
    void *backend_state;
};

enum { INFLATE_BUFFER_SIZE = 256 << 10 };

void inflate_init(struct inflate *inflate, struct input *input, const struct inflate_options *options);
void inflate_finish(struct inflate *inflate);

// The next plain bytes, valid until the next call: INFLATE_BUFFER_SIZE of them, fewer only before the end, 0 at the end, which is
// reached only when the whole input proved sound. ERR_CORRUPT and ERR_INPUT name what is wrong, not the blob: the caller does.
int inflate_next(struct inflate *inflate, const uint8_t **ret_data, size_t *ret_size, struct err *err) MUST_CHECK;

// The sha256 of all plain bytes: a layer's diff id. Only once, at the end.
void inflate_digest(struct inflate *inflate, struct digest *ret_digest);

// Loads what is loaded on first use, for a process that will lose its sight of /usr. Not needed otherwise; cannot fail.
void inflate_prepare(void);

const char *compression_name(enum compression compression);

#endif
