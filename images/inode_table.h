// Files with more than one name, by inode: under which name each was met first. Owned by the caller; zeroed is empty. Private to
// the room.
#ifndef COFFER_IMAGES_INODE_TABLE_H
#define COFFER_IMAGES_INODE_TABLE_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <sys/types.h>

enum { INODE_TABLE_MAX = 4 << 20 }; // what its users bound it at

struct inode_table {
    struct inode_row {
        dev_t device;
        ino_t inode;
        char *path; // NULL: free
    } * rows;
    size_t count, room;
};

void inode_table_finish(struct inode_table *table);
#define AUTO_INODE_TABLE AUTO(inode_table_finish)

// The path that was added with the inode, or NULL. It lives as long as the table.
const char *inode_table_find(const struct inode_table *table, dev_t device, ino_t inode);

// Adds one that is not in it; copies the path.
void inode_table_add(struct inode_table *table, dev_t device, ino_t inode, const char *path);

#endif
