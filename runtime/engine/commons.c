#include "runtime/engine/commons.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/commons_keeper.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/elsewhere.h"
#include "runtime/kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 30, NAMESPACES = 2 };

// --- the folder ---

int commons_lock(const struct home *home, bool block, struct err *err) {
    static const char path[] = COMMONS_FOLDER "/lock";
    int fd_of_lock = openat(home->live_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd_of_lock < 0 && errno == ENOENT && (mkdirat(home->live_fd, COMMONS_FOLDER, 0700) == 0 || errno == EEXIST)) {
        fd_of_lock = openat(home->live_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    AUTO_FD int fd = fd_of_lock;
    int result;
    do {
        result = fd < 0 ? -1 : flock(fd, LOCK_EX | (block ? 0 : LOCK_NB));
    } while (result < 0 && errno == EINTR);
    return result < 0 ? err_sys(err, "lock %s/%s", home->live_path, path) : fd_take(&fd);
}

static void make_address(const struct home *home, struct sockaddr_un *ret) {
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" COMMONS_FOLDER "/keeper", home->live_fd);
}

static int listen_there(const struct home *home, struct err *err) {
    struct sockaddr_un address;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    make_address(home, &address);
    (void)unlinkat(home->live_fd, COMMONS_FOLDER "/keeper", 0); // a dead one's
    return fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, SOMAXCONN) < 0
               ? err_sys(err, "name the socket of the keeper of networks")
               : fd_take(&fd);
}

static int connect_there(const struct home *home) {
    struct sockaddr_un address;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    make_address(home, &address);
    return fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
                   connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0
               ? -1
               : fd_take(&fd);
}

// --- joining ---

static void take_descriptors(const struct msghdr *message, int fds[NAMESPACES]) {
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control && control->cmsg_type == SCM_RIGHTS && control->cmsg_len == CMSG_LEN(NAMESPACES * sizeof(int))) {
        memcpy(fds, CMSG_DATA(control), NAMESPACES * sizeof(int));
    }
}

// 1: it is no more.
static int hear(int keeper_fd, struct commons *ret, struct err *err) {
    struct commons_hello hello;
    union {
        char room[CMSG_SPACE(NAMESPACES * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {&hello, sizeof(hello)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int fds[NAMESPACES] = {-1, -1};
    ssize_t got;
    do {
        got = recvmsg(keeper_fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
        return 1;
    }
    if (got < 0 && errno == EAGAIN) {
        return err_set(err, ERR_SYSTEM, "the keeper of the user's networks says nothing for %d s", PATIENCE_S);
    }
    if (got < 0) {
        return err_sys(err, "hear the keeper of the user's networks");
    }
    take_descriptors(&message, fds);
    AUTO_FD int user_fd = fds[0];
    AUTO_FD int net_fd = fds[1];
    if (got != (ssize_t)sizeof(hello) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (!hello.failed && user_fd < 0)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "the keeper of the user's networks (process coffer-net) is of another version of coffer; it goes when the "
                       "containers on "
                       "networks with a name are stopped");
    }
    if (hello.failed) {
        *err = hello.err;
        return -1;
    }
    ret->user_fd = fd_take(&user_fd);
    ret->net_fd = fd_take(&net_fd);
    ret->anchor = hello.anchor;
    ret->name_server = hello.name_server;
    ret->fresh = hello.fresh;
    return 0;
}

// Under the lock, so that none goes meanwhile.
static int join(const struct commons_keeper_request *request, struct commons *ret, struct err *err) {
    enum { ATTEMPTS = 3 };
    AUTO_COMMONS struct commons commons = COMMONS_NONE;
    AUTO_FD int lock = commons_lock(request->home, true, err);
    int result = lock < 0 ? -1 : 1;
    for (int i = 0; i < ATTEMPTS && result > 0; i++) {
        struct commons_keeper_request one = *request;
        commons.keeper_fd = connect_there(one.home);
        if (commons.keeper_fd < 0) {
            AUTO_FD int listen_fd = one.listen_fd = listen_there(one.home, err);
            if (listen_fd < 0 || commons_keeper_start(&one, err) < 0) {
                return -1;
            }
            commons.keeper_fd = connect_there(one.home);
        }
        result = commons.keeper_fd < 0 ? 1 : hear(commons.keeper_fd, &commons, err);
        if (result > 0) {
            fd_close(&commons.keeper_fd);
        }
    }
    if (result != 0) {
        return result < 0 ? -1 : err_set(err, ERR_SYSTEM, "the keeper of the user's networks ends as soon as it is started");
    }
    *ret = commons;
    commons = (struct commons)COMMONS_NONE;
    return 0;
}

static bool is_there(const struct home *home) {
    AUTO_FD int fd = connect_there(home);
    return fd >= 0;
}

int commons_join(const struct home *home, struct commons *ret, struct err *err) {
    const struct commons_keeper_request request = {.home = home, .listen_fd = -1, .user_fd = -1, .net_fd = -1};
    if (!home->rootless || ret->keeper_fd >= 0) {
        return 0;
    }
    commons_await_monitors(home, is_there);
    if (join(&request, ret, err) < 0) {
        return -1;
    }
    if (ret->fresh) {
        commons_tell_losses(ret, home);
    }
    return 0;
}

// The lock keeps a keeper from going while we connect.
bool commons_find(const struct home *home, struct commons *ret) {
    struct err err = {0};
    *ret = (struct commons)COMMONS_NONE;
    if (!home->rootless || faccessat(home->live_fd, COMMONS_FOLDER "/keeper", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    AUTO_FD int lock = commons_lock(home, true, &err);
    ret->keeper_fd = lock < 0 ? -1 : connect_there(home);
    if (ret->keeper_fd >= 0 && hear(ret->keeper_fd, ret, &err) != 0) {
        commons_leave(ret);
    }
    return ret->keeper_fd >= 0;
}

static bool is_same(int a, int b) {
    struct stat one, other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

int commons_mend(const struct home *home, struct commons *commons, struct err *err) {
    const struct commons_keeper_request request = {
        .home = home, .listen_fd = -1, .user_fd = commons->user_fd, .net_fd = commons->net_fd};
    AUTO_COMMONS struct commons again = COMMONS_NONE;
    fd_close(&commons->keeper_fd);
    if (join(&request, &again, err) < 0) {
        return -1;
    }
    if (!is_same(again.net_fd, commons->net_fd)) {
        return err_set(err, ERR_STATE, "the namespace of the user's networks was lost, and with it the container's; restart it");
    }
    commons_leave(commons);
    *commons = again;
    again = (struct commons)COMMONS_NONE;
    return 0;
}

void commons_leave(struct commons *commons) {
    fd_close(&commons->keeper_fd);
    fd_close(&commons->user_fd);
    fd_close(&commons->net_fd);
}

void commons_sweep(const struct home *home) {
    AUTO_COMMONS struct commons commons = COMMONS_NONE;
    struct err err;
    // A keeper that goes removes its socket.
    if (!home->rootless || faccessat(home->live_fd, COMMONS_FOLDER "/keeper", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return;
    }
    AUTO_FD int there = connect_there(home);
    if (there < 0 && errno == ECONNREFUSED && commons_join(home, &commons, &err) < 0) {
        log_warn("%s", err.text);
    }
}

// --- working ---

int commons_do(struct commons *commons, int (*work)(void *context, struct err *err), void *context, struct err *err) {
    if (commons->net_fd < 0 || commons->inside) {
        return work(context, err);
    }
    commons->inside = true;
    int result = elsewhere_do(commons->user_fd, commons->net_fd, work, context, err);
    commons->inside = false;
    return result;
}

// --- user namespaces ---

struct nesting {
    const struct userns_own *own;
    int fd;
};

// What stands for the user's ids there stands for itself; the kernel takes no range that is in two of those around it.
static size_t nest(const struct idmap *map, struct id_range *ranges) {
    for (size_t i = 0; i < map->count; i++) {
        ranges[i] = map->ranges[i];
        ranges[i].outside = ranges[i].inside;
    }
    return map->count;
}

static int make_nested(void *context, struct err *err) {
    struct nesting *nesting = context;
    struct id_range uid_ranges[USERNS_OWN_RANGES], gid_ranges[USERNS_OWN_RANGES];
    const struct idmap uids = {uid_ranges, nest(&nesting->own->uids, uid_ranges)};
    const struct idmap gids = {gid_ranges, nest(&nesting->own->gids, gid_ranges)};
    nesting->fd = userns_create(&uids, &gids, err);
    return nesting->fd < 0 ? -1 : 0;
}

int commons_user_namespace(struct commons *commons, const struct home *home, struct err *err) {
    struct nesting nesting = {&home->own, -1};
    return elsewhere_do(commons->user_fd, -1, make_nested, &nesting, err) < 0 ? -1 : nesting.fd;
}

bool commons_include(const struct commons *commons, int userns_fd) {
    AUTO_FD int around = ioctl(userns_fd, NS_GET_PARENT);
    return around >= 0 && is_same(around, commons->user_fd);
}
