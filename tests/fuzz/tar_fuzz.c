// The tar reader on foreign bytes. Blocks that look like headers get a sound checksum first, or hardly any input would get past it.
// What is sound to its end is then put together again from what stands beside the bodies, and must be the same.
#include "images/digest.h"
#include "images/inflate.h"
#include "images/input.h"
#include "images/tar.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "tests/fuzz/tar_mend.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void remember(void *buf, const void *data, size_t size) {
    buf_add(buf, data, size);
}

static void check_entry(const struct tar_entry *entry) {
    if (entry->type >= TAR_TYPE_COUNT || strlen(entry->name) + strlen(entry->link) > 1 << 22 || entry->mode > 07777) {
        abort();
    }
    for (size_t i = 0; i < entry->xattr_count; i++) {
        if (entry->xattrs[i].name[0] == '\0' || entry->xattrs[i].value[entry->xattrs[i].size] != '\0') {
            abort();
        }
    }
}

struct reading {
    struct input input;
    struct inflate inflate;
    struct tar_reader tar;
};

static void begin(struct reading *reading, const void *data, size_t size, struct buf *seen) {
    // Not compressed, so that the fuzzer sees what its bytes do.
    const struct inflate_options options = {.declared = COMPRESSION_NONE};
    input_init_memory(&reading->input, data, size, DIGEST_NONE);
    inflate_init(&reading->inflate, &reading->input, &options);
    tar_init(&reading->tar, &reading->inflate);
    reading->tar.seen = remember;
    reading->tar.seen_context = seen;
}

static void end(struct reading *reading) {
    tar_finish(&reading->tar);
    inflate_finish(&reading->inflate);
    input_finish(&reading->input);
}

// Every third body is left alone, as the unpacker leaves those of whiteouts.
static bool is_taken(unsigned number) {
    return number % 3 != 2;
}

// Bodies go to their own buffer. Returns whether it came to a sound end.
static bool read_all(struct reading *reading, struct buf *bodies) {
    struct err err;
    struct tar_entry entry;
    int more;
    for (unsigned number = 0; (more = tar_next(&reading->tar, &entry, &err)) > 0; number++) {
        check_entry(&entry);
        struct tar_piece piece = {0};
        uint64_t at = 0;
        while (is_taken(number)) {
            if (tar_data(&reading->tar, &piece, &err) < 0) {
                return false;
            }
            if (piece.size == 0) {
                break;
            }
            if (piece.offset < at || piece.offset + piece.size > entry.size) {
                abort();
            }
            at = piece.offset + piece.size;
            buf_add(bodies, piece.data, piece.size);
        }
    }
    return more == 0;
}

// The same from the record: what it sees goes to `whole`, and bodies where they belong.
static void put_together(const struct buf *record, const struct buf *bodies, struct buf *whole) {
    struct reading reading;
    struct err err;
    struct tar_entry entry;
    size_t at = 0;
    begin(&reading, buf_string(record), record->size, whole);
    reading.tar.bodiless = true;
    int more;
    for (unsigned number = 0; (more = tar_next(&reading.tar, &entry, &err)) > 0; number++) {
        struct tar_piece piece = {.size = is_taken(number)};
        while (piece.size > 0) {
            if (tar_data(&reading.tar, &piece, &err) < 0 || piece.size > bodies->size - at) {
                abort();
            }
            buf_add(whole, buf_string(bodies) + at, piece.size);
            at += piece.size;
        }
    }
    if (more < 0 || at != bodies->size) {
        abort();
    }
    end(&reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = mem_resize(NULL, size + 1, 1);
    AUTO_BUF struct buf record = {0};
    AUTO_BUF struct buf bodies = {0};
    AUTO_BUF struct buf whole = {0};
    struct reading reading;
    memcpy(copy, data, size);
    mend_checksums(copy, size);
    begin(&reading, copy, size, &record);
    if (read_all(&reading, &bodies)) {
        put_together(&record, &bodies, &whole);
        if (whole.size != size || memcmp(buf_string(&whole), copy, size) != 0) {
            abort();
        }
    }
    end(&reading);
    free(copy);
    return 0;
}
