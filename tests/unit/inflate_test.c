#include "tests/unit/check.h"
#include "tests/unit/compress.h"

#include "images/inflate.h"
#include "images/inflate_backend.h"
#include "images/input.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// Text that compresses, but not too well, and is longer than the decoders' windows.
static void fill(char *text, size_t size) {
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        text[i] = (char)('a' + (state >> 28));
    }
}

struct outcome {
    struct err err;
    int result;
    uint64_t bytes;
    struct digest in, out;
    enum compression compression;
};

static struct outcome inflate_input(struct input *input, const struct inflate_options *options) {
    struct outcome outcome = {0};
    struct inflate inflate;
    inflate_init(&inflate, input, options);
    const uint8_t *data;
    size_t size;
    do {
        outcome.result = inflate_next(&inflate, &data, &size, &outcome.err);
    } while (outcome.result == 0 && size > 0);
    outcome.bytes = inflate.bytes;
    outcome.compression = inflate.compression;
    input_digest(input, &outcome.in);
    inflate_digest(&inflate, &outcome.out);
    inflate_finish(&inflate);
    input_finish(input);
    return outcome;
}

static struct outcome inflate_bytes(const void *data, size_t size, const struct inflate_options *options) {
    struct input input;
    input_init_memory(&input, data, size, DIGEST_SHA256);
    return inflate_input(&input, options);
}

static const struct inflate_options any = {0}, with_zlib = {.without_isal = true};

CASE(all_forms_give_the_same_bytes_and_both_digests) {
    enum { SIZE = 1000003 };
    AUTO_FREE char *text = mem_alloc(SIZE);
    fill(text, SIZE);
    struct digest plain, compressed;
    digest_of(DIGEST_SHA256, text, SIZE, &plain);
    for (int form = 0; form < 4; form++) {
        AUTO_BUF struct buf stream = {0};
        if (form < 2) {
            compress_gzip(&stream, text, SIZE);
        } else if (form == 2) {
            compress_zstd(&stream, text, SIZE);
        } else {
            buf_add(&stream, text, SIZE);
        }
        digest_of(DIGEST_SHA256, stream.data, stream.size, &compressed);
        struct outcome outcome = inflate_bytes(stream.data, stream.size, form == 1 ? &with_zlib : &any);
        CHECK_INT(outcome.result, 0);
        CHECK_INT(outcome.bytes, SIZE);
        CHECK(digest_equal(&outcome.out, &plain));
        CHECK(digest_equal(&outcome.in, &compressed));
    }
}

CASE(isal_is_in_use) {
    if (!inflate_has_isal()) {
        SKIP("this host has no ISA-L (package libisal2)");
    }
    CHECK(inflate_has_isal());
}

// Members of every small size, so that trailers and headers lie at all alignments of the decoders' bit buffers.
CASE(many_members_are_one_stream) {
    enum { SIZE = 600 };
    char text[SIZE];
    fill(text, sizeof(text));
    for (int form = 0; form < 3; form++) {
        AUTO_BUF struct buf stream = {0}, expected = {0};
        for (size_t size = 0; size < SIZE; size++) {
            form < 2 ? compress_gzip(&stream, text, size) : compress_zstd(&stream, text, size);
            buf_add(&expected, text, size);
        }
        struct digest digest;
        digest_of(DIGEST_SHA256, expected.data, expected.size, &digest);
        struct outcome outcome = inflate_bytes(stream.data, stream.size, form == 1 ? &with_zlib : &any);
        CHECK_STR(outcome.err.text, "");
        CHECK_INT(outcome.bytes, expected.size);
        CHECK(digest_equal(&outcome.out, &digest));
    }
}

// By way of a pipe that gives few bytes at a time.
static struct outcome inflate_pipe(const struct buf *stream, size_t piece) {
    int pipes[2];
    struct input input;
    if (pipe(pipes) < 0) {
        return (struct outcome){.result = -1};
    }
    pid_t writer = fork();
    if (writer == 0) {
        close(pipes[0]);
        for (size_t at = 0; at < stream->size; at += piece) {
            size_t size = stream->size - at < piece ? stream->size - at : piece;
            if (write(pipes[1], stream->data + at, size) < 0) {
                break;
            }
            usleep(10); // most of the time the reader is faster
        }
        _exit(0);
    }
    close(pipes[1]);
    input_init_pipe(&input, pipes[0], INPUT_TO_END, DIGEST_SHA256);
    struct outcome outcome = inflate_input(&input, &any);
    close(pipes[0]);
    waitpid(writer, NULL, 0);
    return outcome;
}

CASE(torn_input_makes_no_difference) {
    char text[3000];
    fill(text, sizeof(text));
    for (int form = 0; form < 3; form++) {
        AUTO_BUF struct buf stream = {0};
        for (int i = 0; i < 3; i++) {
            form < 2 ? compress_gzip(&stream, text, sizeof(text)) : compress_zstd(&stream, text, sizeof(text));
        }
        struct outcome outcome = inflate_pipe(&stream, 3);
        CHECK_STR(outcome.err.text, "");
        CHECK_INT(outcome.bytes, 3 * sizeof(text));
        for (size_t step = 4; step < 100; step++) {
            struct input input;
            input_init_memory(&input, stream.data, stream.size, DIGEST_SHA256);
            input.step = step;
            outcome = inflate_input(&input, form == 1 ? &with_zlib : &any);
            CHECK_STR(outcome.err.text, "");
            CHECK_INT(outcome.bytes, 3 * sizeof(text));
        }
    }
}

// A member with all that a header can have, written here after RFC 1952.
static void put_full_member(struct buf *to, const char *text, uint8_t flags) {
    AUTO_BUF struct buf plain = {0};
    compress_gzip(&plain, text, strlen(text));
    size_t start = to->size;
    buf_add(to, plain.data, 10);
    to->data[start + 3] = (char)flags;
    buf_add(to, "\005\0extra", flags & 4 ? 7 : 0);
    buf_add(to, "a name", flags & 8 ? 7 : 0);
    buf_add(to, "a comment", flags & 16 ? 10 : 0);
    uint16_t crc = (uint16_t)crc32(0, (const Bytef *)to->data + start, (uInt)(to->size - start));
    buf_add(to, &crc, flags & 2 ? 2 : 0);
    buf_add(to, plain.data + 10, plain.size - 10);
}

CASE(headers_may_have_all_fields) {
    AUTO_BUF struct buf stream = {0};
    for (uint8_t flags = 0; flags < 32; flags++) {
        put_full_member(&stream, "hello", flags);
    }
    for (int form = 0; form < 2; form++) {
        for (size_t step = 4; step < 40; step++) {
            struct input input;
            input_init_memory(&input, stream.data, stream.size, DIGEST_NONE);
            input.step = step;
            struct outcome outcome = inflate_input(&input, form == 1 ? &with_zlib : &any);
            CHECK_STR(outcome.err.text, "");
            CHECK_INT(outcome.bytes, 32 * 5);
        }
    }
    buf_clear(&stream);
    put_full_member(&stream, "hello", 0x22);
    CHECK_STR(inflate_bytes(stream.data, stream.size, &any).err.text,
              inflate_has_isal() ? "gzip data is damaged: a bad header" : "gzip data is damaged: unknown header flags set");
    buf_clear(&stream);
    put_full_member(&stream, "hello", 2);
    stream.data[10] ^= 1;
    CHECK_STR(inflate_bytes(stream.data, stream.size, &any).err.text,
              inflate_has_isal() ? "gzip data is damaged: a bad header" : "gzip data is damaged: header crc mismatch");
}

CASE(every_cut_is_noticed) {
    char text[2000];
    fill(text, sizeof(text));
    static const char *const messages[] = {"gzip data is cut off", "gzip data is cut off", "zstd data is cut off"};
    for (int form = 0; form < 3; form++) {
        AUTO_BUF struct buf stream = {0};
        form < 2 ? compress_gzip(&stream, text, sizeof(text)) : compress_zstd(&stream, text, sizeof(text));
        for (size_t size = 4; size < stream.size; size++) {
            struct outcome outcome = inflate_bytes(stream.data, size, form == 1 ? &with_zlib : &any);
            if (outcome.result == 0 || strcmp(outcome.err.text, messages[form]) != 0) {
                printf("# form %d cut to %zu of %zu\n", form, size, stream.size);
                CHECK_STR(outcome.err.text, messages[form]);
                break;
            }
            CHECK_INT(outcome.err.kind, ERR_CORRUPT);
        }
    }
}

CASE(every_flipped_byte_is_noticed) {
    char text[700];
    fill(text, sizeof(text));
    struct digest expected;
    digest_of(DIGEST_SHA256, text, sizeof(text), &expected);
    for (int form = 0; form < 2; form++) {
        AUTO_BUF struct buf stream = {0};
        compress_gzip(&stream, text, sizeof(text));
        for (size_t at = 2; at < stream.size; at++) { // behind the magic, without which it is another kind of data
            stream.data[at] ^= 0x20;
            struct outcome outcome = inflate_bytes(stream.data, stream.size, form == 1 ? &with_zlib : &any);
            // Reserved flags, time, speed and operating system in the header mean nothing.
            bool is_free = at >= 3 && at < 10 && digest_equal(&outcome.out, &expected);
            if (outcome.result == 0 && !is_free) {
                printf("# form %d byte %zu\n", form, at);
                CHECK(outcome.result < 0);
            }
            stream.data[at] ^= 0x20;
        }
    }
}

CASE(bytes_behind_the_end_are_an_error) {
    for (int form = 0; form < 3; form++) {
        AUTO_BUF struct buf stream = {0};
        form < 2 ? compress_gzip(&stream, "hello", 5) : compress_zstd(&stream, "hello", 5);
        buf_add_string(&stream, "garbage");
        struct outcome outcome = inflate_bytes(stream.data, stream.size, form == 1 ? &with_zlib : &any);
        CHECK_INT(outcome.result, -1);
        CHECK_STR(outcome.err.text,
                  form < 2 ? "gzip data has bytes behind its end" : "zstd data is damaged: Unknown frame descriptor");
    }
}

CASE(the_media_type_must_agree) {
    AUTO_BUF struct buf gzip = {0}, zstd = {0};
    compress_gzip(&gzip, "hello", 5);
    compress_zstd(&zstd, "hello", 5);
    struct outcome outcome = inflate_bytes(gzip.data, gzip.size, &(struct inflate_options){.declared = COMPRESSION_ZSTD});
    CHECK_STR(outcome.err.text, "data is gzip, but the media type says zstd");
    outcome = inflate_bytes(zstd.data, zstd.size, &(struct inflate_options){.declared = COMPRESSION_NONE});
    CHECK_STR(outcome.err.text, "data is zstd, but the media type says uncompressed");
    outcome = inflate_bytes("hello", 5, &(struct inflate_options){.declared = COMPRESSION_GZIP});
    CHECK_STR(outcome.err.text, "data is uncompressed, but the media type says gzip");
    outcome = inflate_bytes(gzip.data, gzip.size, &(struct inflate_options){.declared = COMPRESSION_GZIP});
    CHECK_INT(outcome.result, 0);
    CHECK_INT(outcome.compression, COMPRESSION_GZIP);
}

CASE(bombs_end_at_the_limits) {
    enum { SIZE = 80 << 20 };
    AUTO_FREE char *zeros = mem_alloc(SIZE);
    AUTO_BUF struct buf gzip = {0}, zstd = {0};
    compress_gzip(&gzip, zeros, SIZE);
    compress_zstd(&zstd, zeros, SIZE);
    struct outcome outcome = inflate_bytes(gzip.data, gzip.size, &(struct inflate_options){.max_bytes = 1 << 20});
    CHECK_STR(outcome.err.text, "data unpacks to more than the limit of 1048576 bytes");
    CHECK(outcome.bytes <= (1 << 20) + INFLATE_BUFFER_SIZE);
    CHECK_INT(outcome.err.kind, ERR_INPUT);
    outcome = inflate_bytes(zstd.data, zstd.size, &any);
    CHECK_STR(outcome.err.text, "data unpacks to more than 1100 times its size");
    outcome = inflate_bytes(gzip.data, gzip.size, &any); // as small as gzip gets, and still allowed
    CHECK_INT(outcome.result, 0);
}

CASE(a_window_of_a_file_is_read_in_place) {
    AUTO_BUF struct buf stream = {0};
    compress_gzip(&stream, "hello", 5);
    AUTO_FD int fd = memfd_create("archive", MFD_CLOEXEC);
    CHECK(fd_write_all(fd, "before", 6) == 0 && fd_write_all(fd, stream.data, stream.size) == 0 &&
          fd_write_all(fd, "behind", 6) == 0);
    struct input input;
    input_init_file(&input, fd, 6, stream.size, DIGEST_SHA256);
    struct outcome outcome = inflate_input(&input, &any);
    CHECK_STR(outcome.err.text, "");
    CHECK_INT(outcome.bytes, 5);
    CHECK_INT(lseek(fd, 0, SEEK_CUR), 12 + (long)stream.size);
    input_init_file(&input, fd, 6, stream.size + 100, DIGEST_SHA256);
    outcome = inflate_input(&input, &any);
    CHECK_STR(outcome.err.text, "gzip data has bytes behind its end");
    input_init_file(&input, fd, 0, stream.size + 100, DIGEST_SHA256);
    outcome = inflate_input(&input, &any);
    CHECK(strstr(outcome.err.text, "bytes short of its stated size of") != NULL);
}

int main(void) {
    RUN(all_forms_give_the_same_bytes_and_both_digests);
    RUN(isal_is_in_use);
    RUN(many_members_are_one_stream);
    RUN(torn_input_makes_no_difference);
    RUN(headers_may_have_all_fields);
    RUN(every_cut_is_noticed);
    RUN(every_flipped_byte_is_noticed);
    RUN(bytes_behind_the_end_are_an_error);
    RUN(the_media_type_must_agree);
    RUN(bombs_end_at_the_limits);
    RUN(a_window_of_a_file_is_read_in_place);
    return check_done();
}
