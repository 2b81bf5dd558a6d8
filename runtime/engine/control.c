#include "runtime/engine/control.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/engine/live.h"
#include "runtime/engine/lock_watch.h"
#include "runtime/engine/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

struct head {
    uint32_t kind, size;
    int64_t value, extra;
};

// Socket names have no room for a long path; a descriptor is as good (proc_pid_fd(5)).
static int make_address(const struct home *home, const char *id, struct sockaddr_un *ret, struct err *err) {
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s/control", home->live_fd, id);
    return length < 0 || (size_t)length >= sizeof(ret->sun_path) ? err_set(err, ERR_INPUT, "%s is no id", id) : 0;
}

int control_listen(const struct home *home, const char *id, struct err *err) {
    enum { BACKLOG = 16, ATTEMPTS = 16 };
    struct sockaddr_un address;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || make_address(home, id, &address, err) < 0) {
        return fd < 0 ? err_sys(err, "make the monitor's socket") : -1;
    }
    unlink(address.sun_path); // a dead monitor's
    (void)fchmod(fd, 0600);   // what it is named with
    int result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    // Sweeps that looked before the container's lock was taken may remove the run-time folder, each of them once.
    for (int i = 1; i < ATTEMPTS && result < 0 && errno == ENOENT; i++) {
        if (live_make(home, id, err) < 0) {
            return -1;
        }
        result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    }
    return result < 0 || listen(fd, BACKLOG) < 0 ? err_sys(err, "name the monitor's socket") : fd_take(&fd);
}

int control_connect(const struct home *home, const char *id, struct err *err) {
    struct sockaddr_un address;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || make_address(home, id, &address, err) < 0) {
        return fd < 0 ? err_sys(err, "make a socket") : -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        bool gone = errno == ENOENT || errno == ECONNREFUSED;
        err_sys(err, "ask the monitor of container %.12s", id);
        err->kind = gone ? ERR_NOT_FOUND : err->kind;
        return -1;
    }
    return fd_take(&fd);
}

int control_lock(const struct home *home, const char *id, struct record_dir *ret_dir, struct err *err) {
    AUTO_LOCK_WATCH struct lock_watch watch = {.dir_fd = -1, .events_fd = -1};
    if (lock_watch_open(home, id, CONTROL_PATIENCE_MS, &watch, err) < 0) {
        return -1;
    }
    while (!lock_watch_take(&watch)) {
        struct err gone;
        if (errno != EWOULDBLOCK) {
            return err_sys(err, "lock the folder of container %.12s", id);
        }
        AUTO_FD int monitor = control_connect(home, id, &gone);
        if (monitor >= 0 || !lock_watch_wait(&watch, home, id)) {
            return err_set(err, ERR_STATE, "container %.12s is running", id);
        }
    }
    *ret_dir = (struct record_dir){.fd = fd_take(&watch.dir_fd)};
    snprintf(ret_dir->id, sizeof(ret_dir->id), "%s", id);
    return 0;
}

int control_send(int fd, const struct control_message *message) {
    struct head head = {.kind = message->kind, .size = message->size, .value = message->value, .extra = message->extra};
    struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)message->bytes, message->size}};
    const struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = message->size > 0 ? 2 : 1};
    ssize_t sent;
    do {
        sent = sendmsg(fd, &datagram, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

int control_receive(int fd, void *room, struct control_message *ret) {
    struct head head;
    struct iovec parts[2] = {{&head, sizeof(head)}, {room, CONTROL_MAX_BYTES}};
    struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t got;
    bool reset = false, again;
    // Who has ended without having heard all that we said leaves an error in front of his last words.
    do {
        got = recvmsg(fd, &datagram, MSG_CMSG_CLOEXEC);
        again = got < 0 && (errno == EINTR || (errno == ECONNRESET && !reset));
        reset = reset || (got < 0 && errno == ECONNRESET);
    } while (again);
    if (got <= 0) {
        return got < 0 && errno == ECONNRESET ? 0 : (int)got;
    }
    if ((size_t)got < sizeof(head) || head.size != (size_t)got - sizeof(head) || (datagram.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        errno = EPROTO;
        return -1;
    }
    *ret = (struct control_message){.kind = head.kind, .size = head.size, .value = head.value, .extra = head.extra, .bytes = room};
    return 1;
}
