// A reader of tar archives: POSIX ustar and pax (IEEE 1003.1-2017, pax), GNU's long names, sparse files and base-256 numbers,
// star's and libarchive's extended attributes. The bytes are foreign: everything is checked and bounded, and errors name the entry.
//
//     struct tar_reader tar; tar_init(&tar, &inflate);
//     while ((more = tar_next(&tar, &entry, err)) > 0) { while (tar_data(&tar, &piece, err) == 0 && piece.size > 0) ... }
//
// Pulled, and without copies: file data is handed out where the decompressor put it. The reader borrows the inflate.
//
// A member's data may be taken to its end by tar_data() or left alone. Of all other bytes, in their order, `seen` is told: with them
// and the data a tar can be put together again, bit by bit. They are a tar without bodies (images/tar_record.h), which the same
// reader reads, told so by `bodiless`. So that headers stand at whole blocks there, too, the last piece of a body that fills no block
// is followed by as many zeros as it had bytes in that block.
#ifndef COFFER_IMAGES_TAR_H
#define COFFER_IMAGES_TAR_H

#include "images/tar_pax.h"
#include "images/tar_sparse.h"
#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;
struct inflate;

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIRECTORY, TAR_FIFO, TAR_TYPE_COUNT };

// One member, all extensions applied. What it points to lives until the next tar_next().
struct tar_entry {
    enum tar_type type;
    const char *name; // as the archive has it: may be absolute, hold "..", end in "/"
    const char *link; // target of hard and symbolic links, "" for others
    uint32_t mode;    // 07777
    uint32_t uid, gid;
    uint64_t size; // of a file, holes included
    bool sparse;
    struct timespec mtime, atime; // atime is mtime where the archive has none
    uint32_t major, minor;
    const struct tar_xattr *xattrs;
    size_t xattr_count;
};

// A run of a file's data; size 0: the end. `offset` is its place in the file: holes are what no piece covers.
struct tar_piece {
    const uint8_t *data; // NULL: the tar is without bodies
    size_t size;
    uint64_t offset;
};

struct tar_reader {
    struct inflate *inflate;
    const uint8_t *at; // of the decompressor's buffer
    size_t have;
    uint64_t position;  // of `at` in the tar
    uint64_t data_left; // bytes of the current member's data still in the archive
    uint32_t padding;   // behind them, to the next block
    uint64_t data_done; // bytes of it handed out
    struct buf name, link, long_name, long_link;
    struct buf global;  // pax records of global headers
    struct tar_pax pax; // those for the next member
    struct tar_sparse sparse;
    bool bodiless; // set behind tar_init()
    void (*seen)(void *context, const void *data, size_t size);
    void *seen_context;
};

void tar_init(struct tar_reader *tar, struct inflate *inflate);
void tar_finish(struct tar_reader *tar);

// 1: *ret_entry is the next member, whatever was left of the one before is skipped. 0: the archive has ended and all bytes behind
// its end have been read, so that the digests of the stream are complete. -1 with err.
int tar_next(struct tar_reader *tar, struct tar_entry *ret_entry, struct err *err) MUST_CHECK;

// The next piece of the current file's data.
int tar_data(struct tar_reader *tar, struct tar_piece *ret_piece, struct err *err) MUST_CHECK;

// "a directory", "a symbolic link", for messages.
const char *tar_type_name(enum tar_type type);

#endif
