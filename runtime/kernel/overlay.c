#include "runtime/kernel/overlay.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

int idmapped_tree(int dir_fd, const char *path, int userns_fd, bool recursive, struct err *err) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH) | (recursive ? AT_RECURSIVE : 0);
    AUTO_FD int tree = sys_open_tree(dir_fd, path, flags);
    if (tree < 0) {
        return err_sys(err, "open %s", path);
    }
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .propagation = MS_PRIVATE, .userns_fd = (uint64_t)userns_fd};
    if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr) < 0) {
        int reason = errno;
        err_num(err, reason, "map the ids of %s", path);
        if (reason == EINVAL || reason == ENOSYS || reason == EOPNOTSUPP) {
            err->kind = ERR_UNSUPPORTED;
        }
        return -1;
    }
    return fd_take(&tree);
}

static int set_string(int fs, const char *key, const char *value) {
    return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int set_flags(int fs, const struct overlay *overlay) {
    if (overlay->user_xattr && sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) {
        return -1;
    }
    return overlay->is_volatile && overlay->upper ? sys_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) : 0;
}

static int set_upper(int fs, const struct overlay *overlay) {
    return overlay->upper && (set_string(fs, "upperdir", overlay->upper) < 0 || set_string(fs, "workdir", overlay->work) < 0) ? -1 : 0;
}

// One "lowerdir+" a layer, since Linux 6.7; the names go through the descriptor, so that no colon has to be escaped.
static int mount_new(const struct overlay *overlay, bool *ret_too_old) {
    AUTO_FD int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0) {
        return -1;
    }
    for (size_t i = 0; i < overlay->lower_count; i++) {
        char path[256]; // what fsconfig(2) takes
        if (snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", overlay->base_fd, overlay->lower[i]) >= (int)sizeof(path)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        if (set_string(fs, "lowerdir+", path) < 0) {
            *ret_too_old = i == 0 && errno == EINVAL;
            return -1;
        }
    }
    if (overlay->bottom && set_string(fs, "lowerdir+", overlay->bottom) < 0) {
        return -1;
    }
    if (set_string(fs, "source", "overlay") < 0 || set_upper(fs, overlay) < 0 || set_flags(fs, overlay) < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return -1;
    }
    return sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

// A place where mounting is nobody's business: a mount namespace of one's own, cut off from where it came from. The base, if it is a
// detached mount, is attached there, so that the kernel takes lower directories of it.
static int prepare_place(const struct overlay *overlay) {
    struct mount_attr private = {.propagation = MS_PRIVATE};
    if (unshare(CLONE_NEWNS) < 0 || sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private) < 0) {
        return -1;
    }
    if (sys_move_mount(overlay->base_fd, "", AT_FDCWD, overlay->directory, MOVE_MOUNT_F_EMPTY_PATH) == 0) {
        return fchdir(overlay->base_fd);
    }
    if (errno != EINVAL) {
        return -1;
    }
    // A plain directory: entered by its name, as the descriptor leads to the namespace it was opened in.
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", overlay->base_fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length <= 0) {
        return -1;
    }
    path[length] = '\0';
    return chdir(path);
}

// With the base as the working directory, so that the names of the lower directories are short.
static int mount_in_place(const struct overlay *overlay) {
    AUTO_BUF struct buf data = {0};
    buf_add_string(&data, "lowerdir=");
    for (size_t i = 0; i < overlay->lower_count; i++) {
        buf_add_format(&data, "%s%s", i ? ":" : "", overlay->lower[i]);
    }
    if (overlay->bottom) {
        buf_add_format(&data, ":%s", overlay->bottom);
    }
    if (overlay->upper) {
        buf_add_format(&data, ",upperdir=%s,workdir=%s", overlay->upper, overlay->work);
    }
    buf_add_format(&data, "%s%s", overlay->user_xattr ? ",userxattr" : "", overlay->is_volatile && overlay->upper ? ",volatile" : "");
    if (data.size >= 4096) {
        errno = E2BIG;
        return -1;
    }
    if (sys_mount("overlay", overlay->directory, "overlay", 0, buf_string(&data)) < 0) {
        return -1;
    }
    return sys_open_tree(AT_FDCWD, overlay->directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int mount_here(const struct overlay *overlay) {
    if (fchdir(overlay->base_fd) < 0) {
        return -1;
    }
    int mount = mount_in_place(overlay);
    int reason = errno;
    sys_umount2(overlay->directory, MNT_DETACH); // the clone stays
    errno = reason;
    return mount;
}

static void send_descriptor(int socket, int fd, int errnum) {
    struct iovec part = {.iov_base = &errnum, .iov_len = sizeof(errnum)};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
        _exit(1);
    }
}

// -1 with errno.
static int receive_descriptor(int socket) {
    int errnum = EIO, fd = -1;
    struct iovec part = {.iov_base = &errnum, .iov_len = sizeof(errnum)};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) > 0) {
        const struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        if (rights && rights->cmsg_type == SCM_RIGHTS) {
            memcpy(&fd, CMSG_DATA(rights), sizeof(int));
        }
    }
    errno = errnum;
    return fd;
}

static int mount_aside(const struct overlay *overlay) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    AUTO_FD int ours = pair[0];
    AUTO_FD int theirs = pair[1];
    pid_t child = process_clone(0, -1, NULL);
    if (child < 0) {
        return -1;
    }
    if (child == 0) {
        int mount = prepare_place(overlay) < 0 ? -1 : mount_in_place(overlay);
        send_descriptor(theirs, mount, errno);
        _exit(0);
    }
    fd_close(&theirs);
    int mount = receive_descriptor(ours);
    int reason = errno;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    errno = reason;
    return mount;
}

int overlay_mount(const struct overlay *overlay, struct err *err) {
    bool too_old = false;
    int mount = mount_new(overlay, &too_old);
    if (mount < 0 && (too_old || errno == EINVAL) && overlay->directory) {
        mount = overlay->own_namespace ? mount_here(overlay) : mount_aside(overlay);
    }
    return mount < 0 ? err_sys(err, "mount the image's %zu layers as an overlay", overlay->lower_count) : mount;
}
