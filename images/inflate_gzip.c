// gzip by ISA-L or zlib. Both check each member's CRC and length; what neither does is the framing between members, which is here.
#include "images/inflate.h"
#include "images/inflate_backend.h"
#include "images/input.h"
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

// ISA-L 2.30 forgets a member's header flags when the header lies across two pieces of input (found by fuzzing), so headers are
// read here, byte by byte, and it gets what is behind them: the deflate stream and the trailer, which it verifies.
enum header_part { HEADER_FIXED, HEADER_EXTRA_LENGTH, HEADER_EXTRA, HEADER_NAME, HEADER_COMMENT, HEADER_CRC, HEADER_DONE };
enum { FLAG_CRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0 };

struct gzip_header {
    enum header_part part;
    uint8_t flags;
    uint32_t at; // bytes of the part
    uint32_t extra_length, stated_crc;
    uLong crc; // of all before its own part
};

// Which flag a part depends on; those without it are passed over.
static const uint8_t part_flags[] = {
    [HEADER_EXTRA_LENGTH] = FLAG_EXTRA, [HEADER_EXTRA] = FLAG_EXTRA, [HEADER_NAME] = FLAG_NAME,
    [HEADER_COMMENT] = FLAG_COMMENT,    [HEADER_CRC] = FLAG_CRC,
};

static bool fixed_byte_is_sound(struct gzip_header *header, uint8_t byte) {
    static const uint8_t beginning[] = {0x1f, 0x8b, Z_DEFLATED};
    if (header->at == 3) {
        header->flags = byte;
        return (byte & FLAGS_RESERVED) == 0;
    }
    return header->at >= sizeof(beginning) || byte == beginning[header->at];
}

// Takes one byte of the header. Returns false when it is unsound.
static bool take_header_byte(struct gzip_header *header, uint8_t byte) {
    bool part_ends = false, sound = true;
    if (header->part != HEADER_CRC) {
        header->crc = crc32(header->crc, &byte, 1);
    }
    switch (header->part) {
    case HEADER_FIXED:
        sound = fixed_byte_is_sound(header, byte);
        part_ends = header->at == 9;
        break;
    case HEADER_EXTRA_LENGTH:
        header->extra_length |= (uint32_t)byte << (8 * header->at);
        part_ends = header->at == 1;
        break;
    case HEADER_EXTRA:
        part_ends = header->at + 1 == header->extra_length;
        break;
    case HEADER_NAME:
    case HEADER_COMMENT:
        part_ends = byte == '\0';
        break;
    default:
        header->stated_crc |= (uint32_t)byte << (8 * header->at);
        part_ends = header->at == 1;
        sound = !part_ends || header->stated_crc == (header->crc & 0xffff);
        break;
    }
    header->at++;
    if (part_ends) {
        header->at = 0;
        do {
            header->part++;
        } while (header->part != HEADER_DONE &&
                 (!(header->flags & part_flags[header->part]) || (header->part == HEADER_EXTRA && header->extra_length == 0)));
    }
    return sound;
}

struct isal_state {
    struct gzip_header header;
    struct inflate_state stream;
};

static void *isal_create(void) {
    struct isal_state *state = mem_alloc(sizeof(*state)); // zeroed: init leaves some of the stream as it is
    isal.init(&state->stream);
    state->stream.crc_flag = ISAL_GZIP_NO_HDR_VER;
    return state;
}

static const char *isal_fault(int code) {
    return code == ISAL_INCORRECT_CHECKSUM ? "a wrong checksum" : "an invalid code";
}

static int read_header(struct gzip_header *header, struct inflate *inflate, struct err *err) {
    while (header->part != HEADER_DONE) {
        if (inflate_more_input(inflate, err) < 0) {
            return -1;
        }
        if (inflate->in_ended) {
            return truncated(err);
        }
        if (!take_header_byte(header, *inflate->in)) {
            return damaged(err, "a bad header");
        }
        inflate->in++;
        inflate->in_size--;
    }
    return 0;
}

static int isal_run(void *opaque, struct inflate *inflate, uint8_t *out, size_t room, size_t *ret_got, struct err *err) {
    struct isal_state *state = opaque;
    struct inflate_state *stream = &state->stream;
    if (stream->block_state == ISAL_BLOCK_FINISH) {
        int end = next_member(inflate, err);
        if (end != 0) {
            return end < 0 ? -1 : 0;
        }
        isal.reset(stream);
        stream->crc_flag = ISAL_GZIP_NO_HDR_VER;
        state->header = (struct gzip_header){0};
    }
    if (read_header(&state->header, inflate, err) < 0 || inflate_more_input(inflate, err) < 0) {
        return -1;
    }
    // ISA-L only reads its input; its interface forgot to say so.
    stream->next_in = (uint8_t *)(uintptr_t)inflate->in;
    stream->avail_in = (uint32_t)inflate->in_size;
    stream->next_out = out;
    stream->avail_out = (uint32_t)room;
    int code = isal.inflate(stream);
    // It reads up to eight bytes ahead, and before a stored block it gives back those it has no use for, even into the piece before
    // this one. So the input keeps the bytes in front of a piece, and a step back is a step back.
    ptrdiff_t taken = stream->next_in - inflate->in;
    if (taken < -INPUT_KEPT_BYTES || taken > (ptrdiff_t)inflate->in_size) {
        return damaged(err, "an invalid code");
    }
    inflate->in += taken;
    inflate->in_size = (size_t)((ptrdiff_t)inflate->in_size - taken);
    *ret_got = room - stream->avail_out;
    if (code != ISAL_DECOMP_OK) {
        return damaged(err, isal_fault(code));
    }
    if (taken == 0 && *ret_got == 0 && stream->block_state != ISAL_BLOCK_FINISH) {
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
