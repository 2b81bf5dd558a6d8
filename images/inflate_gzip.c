// gzip by ISA-L or zlib. Both check each member's CRC and length; what neither does is the framing between members, which is here.
#include "images/inflate.h"
#include "images/inflate_backend.h"
#include "runtime/base/err.h"
#include "runtime/base/library.h"
#include "runtime/base/mem.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

static struct {
    bool tried, there;
    void (*init)(struct inflate_state *);
    void (*reset)(struct inflate_state *);
    int (*inflate)(struct inflate_state *);
} isal;

bool inflate_has_isal(void) {
    if (!isal.tried) {
        const struct library_symbol symbols[] = {
            {"isal_inflate_init", &isal.init},
            {"isal_inflate_reset", &isal.reset},
            {"isal_inflate", &isal.inflate},
        };
        struct err ignored; // slower without, not wrong
        isal.there = library_load("libisal.so.2", "libisal2", symbols, ARRAY_LEN(symbols), &ignored) == 0;
        isal.tried = true;
    }
    return isal.there;
}

// After a member: the end of the input, or the next member. Returns 1 for the end, 0 for another member.
static int next_member(struct inflate *inflate, struct err *err) {
    if (inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    if (inflate->in_ended) {
        inflate->ended = true;
        return 1;
    }
    // The second byte may be in the next chunk; the decoder looks at both again.
    if (inflate->in[0] != 0x1f || (inflate->in_size > 1 && inflate->in[1] != 0x8b)) {
        return err_set(err, ERR_CORRUPT, "gzip data has bytes behind its end");
    }
    return 0;
}

static int truncated(struct err *err) {
    return err_set(err, ERR_CORRUPT, "gzip data is cut off");
}

static int damaged(struct err *err, const char *how) {
    return err_set(err, ERR_CORRUPT, "gzip data is damaged: %s", how);
}

static void *isal_create(void) {
    struct inflate_state *state = mem_resize(NULL, 1, sizeof(*state)); // 80 kB that init clears where needed
    isal.init(state);
    state->crc_flag = ISAL_GZIP;
    return state;
}

static const char *isal_fault(int code) {
    switch (code) {
    case ISAL_INVALID_WRAPPER:
    case ISAL_UNSUPPORTED_METHOD:
        return "a bad header";
    case ISAL_INCORRECT_CHECKSUM:
        return "a wrong checksum";
    default:
        return "an invalid code";
    }
}

static int isal_run(void *opaque, struct inflate *inflate, uint8_t *out, size_t room, size_t *ret_got, struct err *err) {
    struct inflate_state *state = opaque;
    if (state->block_state == ISAL_BLOCK_FINISH) {
        int end = next_member(inflate, err);
        if (end != 0) {
            return end < 0 ? -1 : 0;
        }
        isal.reset(state);
        state->crc_flag = ISAL_GZIP;
    }
    if (inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    // ISA-L only reads its input; its interface forgot to say so.
    state->next_in = (uint8_t *)(uintptr_t)inflate->in;
    state->avail_in = (uint32_t)inflate->in_size;
    state->next_out = out;
    state->avail_out = (uint32_t)room;
    int code = isal.inflate(state);
    size_t taken = inflate->in_size - state->avail_in;
    inflate->in += taken;
    inflate->in_size -= taken;
    *ret_got = room - state->avail_out;
    if (code != ISAL_DECOMP_OK) {
        return damaged(err, isal_fault(code));
    }
    if (taken == 0 && *ret_got == 0 && state->block_state != ISAL_BLOCK_FINISH) {
        return inflate->in_ended ? truncated(err) : damaged(err, "an invalid code");
    }
    return 0;
}

const struct inflate_backend inflate_backend_isal = {.create = isal_create, .destroy = free, .run = isal_run};

struct zlib_state {
    z_stream stream;
    bool between_members;
};

static void *zlib_create(void) {
    struct zlib_state *state = mem_alloc(sizeof(*state));
    // 16: gzip only. Fails only for want of memory, and then run() says so.
    if (inflateInit2(&state->stream, 15 + 16) != Z_OK) {
        state->stream.state = NULL;
    }
    return state;
}

static void zlib_destroy(void *opaque) {
    struct zlib_state *state = opaque;
    inflateEnd(&state->stream);
    free(state);
}

// Under another name: the parameter of the functions below hides zlib's.
static int zlib_step(z_stream *stream) {
    return inflate(stream, Z_NO_FLUSH);
}

static int zlib_run(void *opaque, struct inflate *inflate, uint8_t *out, size_t room, size_t *ret_got, struct err *err) {
    struct zlib_state *state = opaque;
    if (state->between_members) {
        int end = next_member(inflate, err);
        if (end != 0) {
            return end < 0 ? -1 : 0;
        }
        inflateReset(&state->stream);
        state->between_members = false;
    }
    if (inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    state->stream.next_in = inflate->in;
    state->stream.avail_in = (uInt)inflate->in_size;
    state->stream.next_out = out;
    state->stream.avail_out = (uInt)room;
    int code = zlib_step(&state->stream);
    inflate->in += inflate->in_size - state->stream.avail_in;
    inflate->in_size = state->stream.avail_in;
    *ret_got = room - state->stream.avail_out;
    if (code == Z_STREAM_END) {
        state->between_members = true;
        return 0;
    }
    if (code == Z_BUF_ERROR && inflate->in_ended) {
        return truncated(err);
    }
    if (code != Z_OK && code != Z_BUF_ERROR) {
        return damaged(err, state->stream.msg ? state->stream.msg : "an invalid code");
    }
    return 0;
}

const struct inflate_backend inflate_backend_zlib = {.create = zlib_create, .destroy = zlib_destroy, .run = zlib_run};
