#include "images/inode_table.h"

#include "runtime/base/mem.h"

#include <stdint.h>
#include <stdlib.h>

void inode_table_finish(struct inode_table *table) {
    for (size_t i = 0; i < table->room; i++) {
        free(table->rows[i].path);
    }
    free(table->rows);
    *table = (struct inode_table){0};
}

// The inode's row, or the free one where it belongs. There is always a free one.
static struct inode_row *find(const struct inode_table *table, dev_t device, ino_t inode) {
    size_t at = (size_t)(((uint64_t)inode ^ (uint64_t)device << 32) * 0x9e3779b97f4a7c15u >> 20) & (table->room - 1);
    while (table->rows[at].path && (table->rows[at].inode != inode || table->rows[at].device != device)) {
        at = (at + 1) & (table->room - 1);
    }
    return &table->rows[at];
}

const char *inode_table_find(const struct inode_table *table, dev_t device, ino_t inode) {
    return table->room ? find(table, device, inode)->path : NULL;
}

static void grow(struct inode_table *table) {
    struct inode_table larger = {.room = table->room ? 2 * table->room : 256, .count = table->count};
    larger.rows = mem_array(larger.room, sizeof(*larger.rows));
    for (size_t i = 0; i < table->room; i++) {
        if (table->rows[i].path) {
            *find(&larger, table->rows[i].device, table->rows[i].inode) = table->rows[i];
        }
    }
    free(table->rows);
    *table = larger;
}

void inode_table_add(struct inode_table *table, dev_t device, ino_t inode, const char *path) {
    if (2 * table->count >= table->room) {
        grow(table);
    }
    *find(table, device, inode) = (struct inode_row){.device = device, .inode = inode, .path = mem_copy_string(path)};
    table->count++;
}
