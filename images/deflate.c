#include "images/deflate.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/library.h"
#include "runtime/base/mem.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <zstd.h>

#define ZLIB_CONST
#include <zlib.h>

// Levels: what is packed here is packed once and moved soon, so time counts more than the last percent.
enum { OUT_BYTES = 256 << 10, ISAL_LEVEL = 2, ZLIB_LEVEL = 4, ZSTD_LEVEL = 3, GZIP_WINDOW = 15 + 16 };

// run() takes all of the data, handing deflate->out on by put() whenever there is something in it; `last`: there is no more.
struct deflate_backend {
    void *(*create)(void); // NULL: no memory
    void (*destroy)(void *state);
    int (*run)(struct deflate *deflate, const void *data, size_t size, bool last, struct err *err);
};

static int put(struct deflate *deflate, const void *data, size_t size, struct err *err) {
    hasher_update(&deflate->hasher, data, size);
    deflate->bytes += size;
    return deflate->options.fd >= 0 && fd_write_all(deflate->options.fd, data, size) < 0 ? err_sys(err, "write it") : 0;
}

// --- gzip by ISA-L ---

static struct {
    bool tried, there;
    void (*init)(struct isal_zstream *);
    int (*deflate)(struct isal_zstream *);
} isal;

static bool has_isal(void) {
    if (!isal.tried) {
        const struct library_symbol symbols[] = {{"isal_deflate_init", &isal.init}, {"isal_deflate", &isal.deflate}};
        struct err ignored; // slower without, not wrong
        isal.there = library_load("libisal.so.2", "libisal2", symbols, ARRAY_LEN(symbols), &ignored) == 0;
        isal.tried = true;
    }
    return isal.there;
}

void deflate_prepare(void) {
    (void)has_isal();
}

static void *isal_create(void) {
    struct isal_zstream *stream = mem_alloc(sizeof(*stream));
    isal.init(stream);
    stream->level = ISAL_LEVEL;
    stream->level_buf_size = ISAL_DEF_LVL2_DEFAULT;
    stream->level_buf = mem_resize(NULL, ISAL_DEF_LVL2_DEFAULT, 1);
    stream->gzip_flag = IGZIP_GZIP;
    return stream;
}

static void isal_destroy(void *opaque) {
    struct isal_zstream *stream = opaque;
    free(stream->level_buf);
    free(stream);
}

static int isal_run(struct deflate *deflate, const void *data, size_t size, bool last, struct err *err) {
    struct isal_zstream *stream = deflate->backend_state;
    static uint8_t nothing[1];
    stream->next_in = size > 0 ? (uint8_t *)(uintptr_t)data : nothing; // only read
    stream->avail_in = (uint32_t)size;
    stream->end_of_stream = last;
    do {
        stream->next_out = deflate->out;
        stream->avail_out = OUT_BYTES;
        if (isal.deflate(stream) != COMP_OK) {
            return err_set(err, ERR_STATE, "compress it: ISA-L refused");
        }
        if (put(deflate, deflate->out, OUT_BYTES - stream->avail_out, err) < 0) {
            return -1;
        }
    } while (stream->avail_out == 0 || (last && stream->internal_state.state != ZSTATE_END));
    return 0;
}

static const struct deflate_backend backend_isal = {.create = isal_create, .destroy = isal_destroy, .run = isal_run};

// --- gzip by zlib ---

static void *zlib_create(void) {
    z_stream *stream = mem_alloc(sizeof(*stream));
    if (deflateInit2(stream, ZLIB_LEVEL, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static void zlib_destroy(void *opaque) {
    deflateEnd(opaque);
    free(opaque);
}

static int zlib_step(z_stream *stream, bool last) {
    return deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
}

static int zlib_run(struct deflate *deflate, const void *data, size_t size, bool last, struct err *err) {
    z_stream *stream = deflate->backend_state;
    int code;
    stream->next_in = data;
    stream->avail_in = (uInt)size;
    do {
        stream->next_out = deflate->out;
        stream->avail_out = OUT_BYTES;
        code = zlib_step(stream, last);
        if (code == Z_STREAM_ERROR) {
            return err_set(err, ERR_STATE, "compress it: zlib refused");
        }
        if (put(deflate, deflate->out, OUT_BYTES - stream->avail_out, err) < 0) {
            return -1;
        }
    } while (stream->avail_out == 0 || (last && code != Z_STREAM_END));
    return 0;
}

static const struct deflate_backend backend_zlib = {.create = zlib_create, .destroy = zlib_destroy, .run = zlib_run};

// --- zstd, and nothing ---

static void *zstd_create(void) {
    ZSTD_CStream *stream = ZSTD_createCStream();
    if (stream) {
        ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, ZSTD_LEVEL);
        ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1);
    }
    return stream;
}

static void zstd_destroy(void *opaque) {
    ZSTD_freeCStream(opaque);
}

static int zstd_run(struct deflate *deflate, const void *data, size_t size, bool last, struct err *err) {
    ZSTD_inBuffer in = {.src = data, .size = size};
    size_t left = 1;
    while (in.pos < in.size || (last && left > 0)) {
        ZSTD_outBuffer out = {.dst = deflate->out, .size = OUT_BYTES};
        left = ZSTD_compressStream2(deflate->backend_state, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return err_set(err, ERR_STATE, "compress it: %s", ZSTD_getErrorName(left));
        }
        if (put(deflate, deflate->out, out.pos, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static const struct deflate_backend backend_zstd = {.create = zstd_create, .destroy = zstd_destroy, .run = zstd_run};

static int plain_run(struct deflate *deflate, const void *data, size_t size, bool last, struct err *err) {
    (void)last;
    return put(deflate, data, size, err);
}

static const struct deflate_backend backend_plain = {.run = plain_run};

void deflate_init(struct deflate *deflate, const struct deflate_options *options) {
    const struct deflate_backend *const backends[COMPRESSION_COUNT] = {
        [COMPRESSION_ANY] = &backend_plain,
        [COMPRESSION_NONE] = &backend_plain,
        [COMPRESSION_GZIP] = !options->without_isal && has_isal() ? &backend_isal : &backend_zlib,
        [COMPRESSION_ZSTD] = &backend_zstd,
    };
    *deflate = (struct deflate){.options = *options, .backend = backends[options->compression]};
    hasher_init(&deflate->hasher, DIGEST_SHA256);
    if (deflate->backend->create) {
        deflate->backend_state = deflate->backend->create();
        deflate->out = mem_resize(NULL, OUT_BYTES, 1);
    }
}

void deflate_finish(struct deflate *deflate) {
    if (deflate->backend_state) {
        deflate->backend->destroy(deflate->backend_state);
    }
    free(deflate->out);
    *deflate = (struct deflate){0};
}

static int run(struct deflate *deflate, const void *data, size_t size, bool last, struct err *err) {
    if (deflate->backend->create && !deflate->backend_state) {
        return err_set(err, ERR_SYSTEM, "compress it: out of memory");
    }
    return deflate->backend->run(deflate, data, size, last, err);
}

int deflate_write(struct deflate *deflate, const void *data, size_t size, struct err *err) {
    return size > 0 ? run(deflate, data, size, false, err) : 0;
}

int deflate_end(struct deflate *deflate, struct digest *ret_digest, struct err *err) {
    if (run(deflate, NULL, 0, true, err) < 0) {
        return -1;
    }
    hasher_finish(&deflate->hasher, ret_digest);
    return 0;
}
