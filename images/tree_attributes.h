// The extended attributes of an entry of a tree, as a tar has them, and what overlayfs says by some of its own. Private to the room.
#ifndef COFFER_IMAGES_TREE_ATTRIBUTES_H
#define COFFER_IMAGES_TREE_ATTRIBUTES_H

#include "images/tar_pax.h"
#include "images/tree_pack.h"
#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

// Names point into `list`, values into `values`.
struct tree_attributes {
    enum tree_signs signs;
    char *list;
    const char **names;
    struct buf values;
    struct tar_xattr *items; // of the entry that was read last
    size_t count;
    bool is_opaque;
};

void tree_attributes_init(struct tree_attributes *attributes, enum tree_signs signs);
void tree_attributes_finish(struct tree_attributes *attributes); // a zeroed one is fine

// Of an entry of the working directory, links not followed.
int tree_attributes_read(struct tree_attributes *attributes, const char *name, struct err *err) MUST_CHECK;

#endif
