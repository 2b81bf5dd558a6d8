#include "runtime/kernel/procfs.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PROC_ROOT_INODE = 1, OWN_MAX_BYTES = 32, PATH_MAX_BYTES = 320 };

static int make_private(void) {
    AUTO_FD int fs = sys_fsopen("proc", FSOPEN_CLOEXEC);
    if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return -1;
    }
    return sys_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static int clone_visible(void) {
    return sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int open_visible(void) {
    return open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_on_procfs(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

// The root, not a directory below that somebody has bound to /proc.
static bool is_root(int fd) {
    struct stat status;
    return is_on_procfs(fd) && fstat(fd, &status) == 0 && status.st_ino == PROC_ROOT_INODE;
}

int procfs_open(struct err *err) {
    static int (*const ways[])(void) = {make_private, clone_visible, open_visible};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        AUTO_FD int fd = ways[i]();
        if (fd >= 0 && is_root(fd)) {
            return fd_take(&fd);
        }
    }
    return err_set(err, ERR_UNSUPPORTED, "no procfs can be had: this host allows none of our own, and what is at /proc is not one");
}

int procfs_try_open(int proc_fd, const char *path, int flags) {
    const struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
    };
    AUTO_FD int fd = sys_openat2(proc_fd, path, &how);
    struct statfs status;
    if (fd < 0 || fstatfs(fd, &status) < 0) {
        return -1;
    }
    if (status.f_type != PROC_SUPER_MAGIC) {
        errno = EXDEV;
        return -1;
    }
    return fd_take(&fd);
}

// "self" is a link that procfs makes, to the number of the process: read, not followed.
static int own_path(int proc_fd, const char *path, char ret_path[PATH_MAX_BYTES]) {
    char own[OWN_MAX_BYTES];
    ssize_t size = readlinkat(proc_fd, "self", own, sizeof(own) - 1);
    if (size < 0) {
        return -1;
    }
    own[size] = '\0';
    if (strspn(own, "0123456789") != (size_t)size || snprintf(ret_path, PATH_MAX_BYTES, "%s/%s", own, path) >= PATH_MAX_BYTES) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

int procfs_try_open_own(int proc_fd, const char *path, int flags) {
    char whole[PATH_MAX_BYTES];
    return own_path(proc_fd, path, whole) < 0 ? -1 : procfs_try_open(proc_fd, whole, flags);
}

int procfs_write(int proc_fd, const char *path, const char *text, const char *what, struct err *err) {
    AUTO_FD int fd = procfs_try_open(proc_fd, path, O_WRONLY);
    if (fd < 0 && errno == EXDEV) {
        return err_set(err, ERR_UNSUPPORTED, "set %s to %s: the /proc around this container is read-only there, or hides it", what, text);
    }
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        return err_sys(err, "set %s to %s", what, text);
    }
    return 0;
}
