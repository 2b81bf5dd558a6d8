// zstd by libzstd, and the tar that is not compressed at all.
#include "images/inflate.h"
#include "images/inflate_backend.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

// The window is memory that the stream's author asks us for. 8 MiB is what RFC 8878 wants every decoder to take, and what the
// encoders of container tools stay within; `zstd --long` goes to 128 MiB.
enum { WINDOW_LOG_MAX = 27 };

struct zstd_state {
    ZSTD_DStream *stream;
    bool inside_frame;
};

static void *zstd_create(void) {
    struct zstd_state *state = mem_alloc(sizeof(*state));
    state->stream = ZSTD_createDStream();
    if (state->stream) {
        ZSTD_DCtx_setParameter(state->stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
    return state;
}

static void zstd_destroy(void *opaque) {
    struct zstd_state *state = opaque;
    ZSTD_freeDStream(state->stream);
    free(state);
}

static int zstd_run(void *opaque, struct inflate *inflate, uint8_t *out, size_t room, size_t *ret_got, struct err *err) {
    struct zstd_state *state = opaque;
    if (inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    if (inflate->in_ended && !state->inside_frame) {
        inflate->ended = true;
        return 0;
    }
    ZSTD_inBuffer in = {.src = inflate->in, .size = inflate->in_size};
    ZSTD_outBuffer to = {.dst = out, .size = room};
    size_t code = ZSTD_decompressStream(state->stream, &to, &in);
    inflate->in += in.pos;
    inflate->in_size -= in.pos;
    *ret_got = to.pos;
    if (ZSTD_isError(code)) {
        return err_set(err, ERR_CORRUPT, "zstd data is damaged: %s", ZSTD_getErrorName(code));
    }
    // 0: a frame is complete and handed out; the next call begins another one, if any bytes are left.
    state->inside_frame = code != 0;
    if (inflate->in_ended && state->inside_frame && to.pos == 0) {
        return err_set(err, ERR_CORRUPT, "zstd data is cut off");
    }
    return 0;
}

const struct inflate_backend inflate_backend_zstd = {.create = zstd_create, .destroy = zstd_destroy, .run = zstd_run};

static void *plain_create(void) {
    return NULL;
}

static void plain_destroy(void *state) {
    (void)state;
}

static int plain_run(void *state, struct inflate *inflate, uint8_t *out, size_t room, size_t *ret_got, struct err *err) {
    (void)state;
    if (inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    size_t size = inflate->in_size < room ? inflate->in_size : room;
    if (size > 0) {
        memcpy(out, inflate->in, size);
    }
    inflate->in += size;
    inflate->in_size -= size;
    inflate->ended = inflate->in_ended;
    *ret_got = size;
    return 0;
}

const struct inflate_backend inflate_backend_plain = {.create = plain_create, .destroy = plain_destroy, .run = plain_run};
