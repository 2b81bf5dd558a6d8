#include "runtime/container/notify.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_MAX_BYTES = 4096, BARRIER_TIMEOUT_MS = 30000 };

void notify_finish(struct notify *notify) {
    fd_close(&notify->socket);
    fd_close(&notify->host);
}

int notify_make_folder(const struct state_dir *dir, struct err *err) {
    if (mkdirat(dir->fd, NOTIFY_FOLDER, 0755) < 0 || fchmodat(dir->fd, NOTIFY_FOLDER, 0755, 0) < 0) {
        return err_sys(err, "make the folder of the notify socket of container \"%s\"", dir->id);
    }
    return 0;
}

int notify_open(const struct state_dir *dir, const char *host, struct notify *ret, struct err *err) {
    AUTO_NOTIFY struct notify notify = NOTIFY_NONE;
    if (!host || faccessat(dir->fd, NOTIFY_FOLDER, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0;
    }
    notify.path = host;
    notify.host = unix_socket_connect(host, SOCK_DGRAM);
    if (notify.host < 0) {
        log_warn("NOTIFY_SOCKET: connect to %s: %s; nobody learns that the container is ready", host, strerror(errno));
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" NOTIFY_FOLDER "/notify.sock", dir->fd);
    notify.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // Any user of the container may say it.
    if (notify.socket < 0 || bind(notify.socket, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchmodat(dir->fd, NOTIFY_FOLDER "/notify.sock", 0777, 0) < 0) {
        return err_sys(err, "make the notify socket of container \"%s\"", dir->id);
    }
    *ret = notify;
    notify.socket = notify.host = -1;
    return 0;
}

// The line that says so, without what else is in the message.
static const char *find_ready(char *message) {
    for (char *line = message; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "READY=", 6) == 0) {
            line[strcspn(line, "\n")] = '\0';
            return line;
        }
    }
    return NULL;
}

bool notify_read(struct notify *notify, pid_t pid) {
    char message[MESSAGE_MAX_BYTES + 1], text[MESSAGE_MAX_BYTES + 64];
    ssize_t got = recv(notify->socket, message, MESSAGE_MAX_BYTES, 0);
    if (got < 0) {
        return errno != EAGAIN && errno != EINTR;
    }
    message[got] = '\0';
    const char *ready = find_ready(message);
    if (!ready) {
        return false;
    }
    int size = pid > 0 ? snprintf(text, sizeof(text), "%s\nMAINPID=%d\n", ready, (int)pid) : snprintf(text, sizeof(text), "%s\n", ready);
    if (notify->host >= 0 && send(notify->host, text, (size_t)size, MSG_NOSIGNAL) != size) {
        log_warn("NOTIFY_SOCKET: send to %s: %s", notify->path, strerror(errno));
    }
    return true;
}

// sd_notify_barrier(3): the host closes the pipe's end when all before it is done.
static void wait_for_host(const struct notify *notify) {
    int ends[2];
    if (notify->host < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        return;
    }
    AUTO_FD int ours = ends[0];
    AUTO_FD int theirs = ends[1];
    static const char barrier[] = "BARRIER=1";
    if (unix_socket_send_fd(notify->host, barrier, sizeof(barrier) - 1, theirs) < 0) {
        return;
    }
    fd_close(&theirs);
    struct pollfd wait = {.fd = ours, .events = POLLIN};
    if (poll(&wait, 1, BARRIER_TIMEOUT_MS) == 0) {
        log_warn("NOTIFY_SOCKET: %s was told that the container is ready and did not confirm it", notify->path);
    }
}

void notify_wait(struct notify *notify, pid_t pid, int pidfd) {
    struct pollfd waits[] = {{.fd = notify->socket, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    while (notify->socket >= 0) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if (waits[0].revents && notify_read(notify, pid)) {
            wait_for_host(notify);
            return;
        }
        if (waits[1].revents && !waits[0].revents) {
            return; // it ended without a word
        }
    }
}
