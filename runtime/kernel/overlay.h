// An overlay file system as a detached mount: many read-only directories below one another, one to write to on top.
// (Documentation/filesystems/overlayfs.rst of the kernel.)
#ifndef COFFER_KERNEL_OVERLAY_H
#define COFFER_KERNEL_OVERLAY_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

struct overlay {
    int base_fd;              // a directory, or a detached (id-mapped) mount of one, that holds all lower directories
    const char *const *lower; // paths below it, the topmost first
    size_t lower_count;
    const char *bottom; // absolute path of an empty directory below them all, as one alone is refused without `upper`; NULL: none
    const char *upper; // absolute paths of two empty directories of one file system; NULL: read-only
    const char *work;
    bool user_xattr;       // marks are in user.overlay.*: mounted from inside a user namespace
    bool is_volatile;      // no syncs at all: for what is thrown away
    const char *directory; // an absolute path to mount on by kernels that cannot do without (before 6.7)
    bool own_namespace;    // the caller's mount namespace is nobody else's, so that may be done right here
};

// A clone of the directory's mount whose ids go through the user namespace's map (mount_setattr(2), MOUNT_ATTR_IDMAP), detached and
// private: as a peer of the host's mount it would pass on to the host what is mounted on it. `recursive` takes the mounts below along. A file system that cannot be id-mapped is ERR_UNSUPPORTED.
int idmapped_tree(int dir_fd, const char *path, int userns_fd, bool recursive, struct err *err) MUST_CHECK;

// Mounts it and returns the detached mount. Kernels before 6.7 need a mount point: a process aside makes the mount there in a mount
// namespace of its own, so nothing of it is ever seen on the host.
int overlay_mount(const struct overlay *overlay, struct err *err) MUST_CHECK;

#endif
