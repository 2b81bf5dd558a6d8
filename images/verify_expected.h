// What a layer's directory should hold, by the record of its tar. Private to images/verify*.c.
//
// The rules are the unpacker's (unpack.c, unpack_entry.c, unpack_whiteout.c): what an entry brings covers a whiteout of its name,
// and a directory in the place of one is opaque; directories may be entries several times, the last one counts; what lies below a
// path makes it a directory, whether the tar has an entry for that or not.
#ifndef COFFER_IMAGES_VERIFY_EXPECTED_H
#define COFFER_IMAGES_VERIFY_EXPECTED_H

#include "images/inflate.h"
#include "images/tar.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct input;

enum expected_kind {
    EXPECTED_BELOW, // a hard link's target that lies in a lower layer: it was copied, as it was there
    EXPECTED_WHITEOUT,
    EXPECTED_OPAQUE, // a directory, of which only that is known
    EXPECTED_LINK,   // the same file as entry.link
    EXPECTED_ENTRY,
};

struct expected {
    const char *path;
    enum expected_kind kind;
    bool opaque;
    bool repeated; // several entries: attributes of the earlier ones may be left
    bool met;
    size_t order;           // in the tar
    struct tar_entry entry; // of an entry; link is a clean path where it is a hard one. What it points to is in the arena
};

struct expected_tree {
    struct arena arena;
    struct expected *items; // sorted by path, each path once
    size_t count, room;
    uint64_t data_bytes; // of all files
};

// Reads the record to its end; it is compressed by zstd, in tests not at all.
int expected_read(struct input *record, enum compression compression, struct expected_tree *ret_tree, struct err *err) MUST_CHECK;
void expected_finish(struct expected_tree *tree);
#define AUTO_EXPECTED AUTO(expected_finish)

// NULL: no entry has this path.
struct expected *expected_find(const struct expected_tree *tree, const char *path);

// Whether something that is expected lies below the path.
bool expected_has_below(const struct expected_tree *tree, const char *path);

#endif
