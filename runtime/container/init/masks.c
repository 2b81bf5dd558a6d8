#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// A clone of the tree at an open path, read-only: in one call since Linux 6.15.
static int clone_readonly(int at) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int tree = sys_open_tree_attr(at, "", flags, &attr);
    if (tree >= 0) {
        return tree;
    }
    LEFT_FD int plain = sys_open_tree(at, "", flags);
    return plain < 0 || sys_mount_setattr(plain, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ? -1 : fd_take(&plain);
}

static int make_readonly(const struct init *init, const char *path, struct err *err) {
    LEFT_FD int at = root_try_open(init->root_fd, path, O_PATH);
    if (at < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "open read-only path %s", path);
    }
    LEFT_FD int tree = clone_readonly(at);
    if (tree < 0 || sys_move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "make path %s read-only", path);
    }
    return 0;
}

// The null device comes from the host, before the pivot, and is looked at: an image that lays its own /dev/null in the way must not
// choose what hides /proc/kcore (CVE-2025-31133).
static int make_null(struct err *err) {
    LEFT_FD int null = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    struct stat status;
    if (null < 0 || fstat(null, &status) < 0) {
        return err_sys(err, "open the host's /dev/null");
    }
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
        return err_set(err, ERR_UNSUPPORTED, "the host's /dev/null is not the null device 1:3");
    }
    return fd_take(&null);
}

static int make_empty(struct err *err) {
    LEFT_FD int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
    // One inode, the root's: whatever becomes of "read-only", nothing can be put in it.
    if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
        sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return err_sys(err, "make an empty directory for masked paths");
    }
    int tree = sys_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return tree < 0 ? err_sys(err, "make an empty directory for masked paths") : tree;
}

static int lay_over(struct mask *mask, int at) {
    const unsigned empty_paths = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    if (!mask->attached) {
        mask->attached = true;
        return sys_move_mount(mask->fd, "", at, "", empty_paths);
    }
    LEFT_FD int tree = sys_open_tree(mask->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    return tree < 0 ? -1 : sys_move_mount(tree, "", at, "", empty_paths);
}

static int hide(struct init *init, const char *path, struct err *err) {
    LEFT_FD int at = root_try_open(init->root_fd, path, O_PATH);
    if (at < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "open masked path %s", path);
    }
    struct stat status;
    if (fstat(at, &status) < 0) {
        return err_sys(err, "look at masked path %s", path);
    }
    bool directory = S_ISDIR(status.st_mode);
    struct mask *mask = directory ? &init->empty_mask : &init->null_mask;
    if (mask->fd < 0) {
        mask->fd = directory ? make_empty(err) : make_null(err);
        if (mask->fd < 0) {
            return -1;
        }
    }
    return lay_over(mask, at) < 0 ? err_sys(err, "mask path %s", path) : 0;
}

// One that leads out of /proc again may be of what is not mounted yet, and would be taken for missing.
static bool is_in_proc(const char *path) {
    return strncmp(path, "/proc/", 6) == 0 && !strstr(path, "/..");
}

static bool is_meant(const char *path, enum hide which) {
    return which == HIDE_ALL || is_in_proc(path) == (which == HIDE_IN_PROC);
}

int init_hide_paths(struct init *init, enum hide which, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = 0; i < plan->readonly_count; i++) {
        if (is_meant(plan->readonly_paths[i], which) && make_readonly(init, plan->readonly_paths[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < plan->masked_count; i++) {
        if (is_meant(plan->masked_paths[i], which) && hide(init, plan->masked_paths[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
