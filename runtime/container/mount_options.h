// Mount options by name, as fstab(5), mount(8) and the runtime-spec write them, and what they mean to the new mount API.
#ifndef COFFER_CONTAINER_MOUNT_OPTIONS_H
#define COFFER_CONTAINER_MOUNT_OPTIONS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

struct mount_options {
    bool bind, recursive_bind;
    bool remount;
    uint64_t set, clear;           // MOUNT_ATTR_* of the mount
    uint64_t tree_set, tree_clear; // the same of the mount and all below (rro, rnosuid, ...)
    uint64_t propagation;          // MS_PRIVATE ... of the mount, 0: none
    uint64_t tree_propagation;
    bool copy_up;         // tmpcopyup
    bool nofollow_target; // dest-nofollow
    bool nofollow_source; // src-nofollow
    bool copy_symlink;    // copy-symlink
    bool idmap, idmap_tree; // idmap, ridmap
    const char *idmap_text; // what stands behind "idmap=": NULL for none
    const char **flags;     // flags of the file system itself that are known by name: sync, lazytime, ...; no bind mount has any
    size_t flag_count;
    const char **data; // what is left: for the file system alone
    size_t data_count;
};

// Reads the options in order; a later one wins. Unknown ones are the file system's. The result lives in the arena.
int mount_options_read(struct arena *arena, const char *const *options, size_t count, struct mount_options *ret,
                       struct err *err) MUST_CHECK;

// The names of all options that are ours, in the order of the alphabet. They live in the arena.
const char *const *mount_options_names(struct arena *arena, size_t *ret_count);

#endif
