// The decoders behind inflate.h, one row of functions each. Private to the room.
//
// run() takes from inflate->in (refilled by inflate_more_input()) and writes up to `room` bytes to `out`. It may return with fewer;
// it must make progress. It sets inflate->ended at a sound end, and fails on an unsound one.
#ifndef COFFER_IMAGES_INFLATE_BACKEND_H
#define COFFER_IMAGES_INFLATE_BACKEND_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct inflate;

struct inflate_backend {
    void *(*create)(void);
    void (*destroy)(void *state);
    int (*run)(void *state, struct inflate *inflate, uint8_t *out, size_t room, size_t *ret_got, struct err *err);
};

extern const struct inflate_backend inflate_backend_isal, inflate_backend_zlib, inflate_backend_zstd, inflate_backend_plain;

// Loads ISA-L the first time; false where the host has none.
bool inflate_has_isal(void);

// Refills inflate->in when it is empty; after the last chunk it stays empty and in_ended is set.
int inflate_more_input(struct inflate *inflate, struct err *err) MUST_CHECK;

#endif
