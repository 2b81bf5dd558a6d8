#include "runtime/kernel/mount_point.h"

#include "runtime/base/err.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/stat.h> // clashes with <sys/stat.h> of some C libraries
#include <stdio.h>

enum { DETACH_TRIES = 64 };

int mount_point_look(int fd, struct mount_point *ret) {
    struct statx status = {0};
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0) {
        return -1;
    }
    if (!(status.stx_mask & STATX_MNT_ID) || !(status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    *ret = (struct mount_point){.id = status.stx_mnt_id, .is_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
    return 0;
}

// umount2(2) takes a path, and goes on to what is mounted on top of where that leads. So it is called until it finds the mount at the
// descriptor attached no more (EINVAL).
int mount_point_detach(int proc_fd, int fd, bool *ret_detached, struct err *err) {
    char path[32];
    snprintf(path, sizeof(path), "self/fd/%d", fd);
    if (fchdir(proc_fd) < 0) {
        return err_sys(err, "enter procfs");
    }
    *ret_detached = false;
    for (int i = 0; i < DETACH_TRIES; i++) {
        if (sys_umount2(path, MNT_DETACH) < 0) {
            return errno == EINVAL ? 0 : err_sys(err, "detach the mount");
        }
        *ret_detached = true;
    }
    return err_set(err, ERR_STATE, "somebody in the container mounts over it again and again");
}
