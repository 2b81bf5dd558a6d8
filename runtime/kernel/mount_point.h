// mount_point: what is mounted, told and taken away by descriptors: a path could lead elsewhere at the next look.
#ifndef COFFER_KERNEL_MOUNT_POINT_H
#define COFFER_KERNEL_MOUNT_POINT_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct mount_point {
    uint64_t id;  // as in proc_pid_mountinfo(5); nobody else's while the descriptor is open
    bool is_root; // of the mount: not a file or directory in it
};

// Which mount the open file lies in (statx(2), Linux 5.8). -1 with errno.
int mount_point_look(int fd, struct mount_point *ret) MUST_CHECK;

// Detaches the mount of which the descriptor is the root, with all that is mounted on it, also what somebody mounts there meanwhile.
// proc_fd: procfs_open()'s. *ret_detached: false when it was attached nowhere in our mount namespace. Changes the working directory.
int mount_point_detach(int proc_fd, int fd, bool *ret_detached, struct err *err) MUST_CHECK;

#endif
