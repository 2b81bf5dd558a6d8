#include "runtime/kernel/unix_socket.h"

#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int reach(int peer, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (path[0] == '@' && length <= sizeof(address.sun_path)) {
        memcpy(address.sun_path + 1, path + 1, length - 1);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
        return connect(peer, (const struct sockaddr *)&address, size);
    }
    AUTO_FD int found = -1;
    if (length < sizeof(address.sun_path)) {
        memcpy(address.sun_path, path, length);
    } else {
        found = open(path, O_PATH | O_CLOEXEC);
        if (found < 0) {
            return -1;
        }
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", found);
    }
    return connect(peer, (const struct sockaddr *)&address, sizeof(address));
}

int unix_socket_connect(const char *path, int type) {
    AUTO_FD int peer = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    return peer < 0 || reach(peer, path) < 0 ? -1 : fd_take(&peer);
}

int unix_socket_send_fd(int socket, const void *data, size_t size, int fd) {
    struct iovec part = {.iov_len = size};
    memcpy(&part.iov_base, &data, sizeof(data)); // sendmsg(2) does not write to it; iovec has no const
    union {
        struct cmsghdr header; // for its alignment
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof(int));
    size_t done = 0;
    while (done < size) {
        ssize_t sent = done == 0 ? sendmsg(socket, &message, MSG_NOSIGNAL)
                                 : send(socket, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return -1;
        }
        done += sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}
