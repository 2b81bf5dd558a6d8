#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// A clone of the tree at an open path, made read-only and laid over it.
static int make_readonly(const struct init *init, const char *path, struct err *err) {
    AUTO_FD int at = root_try_open(init->root_fd, path, O_PATH);
    if (at < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "open read-only path %s", path);
    }
    AUTO_FD int tree = sys_open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ||
        sys_move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "make path %s read-only", path);
    }
    return 0;
}

// What masks: an empty read-only tmpfs over directories, the null device over files. Both are made once and cloned.
struct mask {
    int null_fd;
    int tmpfs_fd;
    bool tmpfs_attached; // kernels before 6.15 clone only what is attached: the first path gets the mount itself
};

// The null device comes from the host, before the pivot, and is looked at: an image that lays its own /dev/null in the way must not
// choose what hides /proc/kcore (CVE-2025-31133).
static int open_null(struct mask *mask, struct err *err) {
    if (mask->null_fd >= 0) {
        return 0;
    }
    AUTO_FD int null = openat(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (null < 0 || fstat(null, &status) < 0) {
        return err_sys(err, "open the host's /dev/null");
    }
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
        return err_set(err, ERR_UNSUPPORTED, "the host's /dev/null is not the null device 1:3");
    }
    mask->null_fd = fd_take(&null);
    return 0;
}

static int open_empty(struct mask *mask, struct err *err) {
    if (mask->tmpfs_fd >= 0) {
        return 0;
    }
    AUTO_FD int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "nr_blocks", "1", 0) < 0 ||
        sys_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
        sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return err_sys(err, "make an empty directory for masked paths");
    }
    int tree = sys_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (tree < 0) {
        return err_sys(err, "make an empty directory for masked paths");
    }
    mask->tmpfs_fd = tree;
    return 0;
}

static int hide(const struct init *init, const char *path, struct mask *mask, struct err *err) {
    AUTO_FD int at = root_try_open(init->root_fd, path, O_PATH);
    if (at < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "open masked path %s", path);
    }
    struct stat status;
    if (fstat(at, &status) < 0) {
        return err_sys(err, "look at masked path %s", path);
    }
    bool directory = S_ISDIR(status.st_mode);
    if ((directory ? open_empty(mask, err) : open_null(mask, err)) < 0) {
        return -1;
    }
    int what = directory ? mask->tmpfs_fd : mask->null_fd;
    AUTO_FD int tree = -1;
    if (directory && !mask->tmpfs_attached) {
        tree = fcntl(what, F_DUPFD_CLOEXEC, 3);
        mask->tmpfs_attached = true;
    } else {
        tree = sys_open_tree(what, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    }
    if (tree < 0 || sys_move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "mask path %s", path);
    }
    return 0;
}

int init_hide_paths(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = 0; i < plan->readonly_count; i++) {
        if (make_readonly(init, plan->readonly_paths[i], err) < 0) {
            return -1;
        }
    }
    struct mask mask = {.null_fd = -1, .tmpfs_fd = -1};
    int result = 0;
    for (size_t i = 0; i < plan->masked_count && result == 0; i++) {
        result = hide(init, plan->masked_paths[i], &mask, err);
    }
    fd_close(&mask.null_fd);
    fd_close(&mask.tmpfs_fd);
    return result;
}
