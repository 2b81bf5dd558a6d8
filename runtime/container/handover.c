#include "runtime/container/handover.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int handover_pid_file(const char *path, pid_t pid, struct err *err) {
    char text[16];
    int size = snprintf(text, sizeof(text), "%d", pid);
    return fd_replace_file(AT_FDCWD, path, text, (size_t)size, 0644, err) < 0 ? err_in(err, "write the pid file") : 0;
}

int handover_send(const char *flag, const char *path, const char *name, int fd, struct err *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path)) {
        return err_set(err, ERR_INPUT, "%s %s: the path is longer than %zu bytes", flag, path, sizeof(address.sun_path) - 1);
    }
    AUTO_FD int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer < 0 || connect(peer, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return err_sys(err, "%s: connect to %s", flag, path);
    }
    // sendmsg(2) does not write to the name; iovec has no const.
    struct iovec part = {.iov_len = strlen(name)};
    memcpy(&part.iov_base, &name, sizeof(name));
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    return sendmsg(peer, &message, MSG_NOSIGNAL) < 0 ? err_sys(err, "%s: send %s to %s", flag, name, path) : 0;
}
