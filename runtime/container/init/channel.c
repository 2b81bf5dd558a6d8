#include "runtime/container/init/channel.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct header {
    uint32_t type;
    uint32_t size;
    uint32_t fd_count;
};

union control {
    struct cmsghdr header; // for its alignment
    char room[CMSG_SPACE(sizeof(int) * CHANNEL_MAX_FDS)];
};

void channel_message_finish(struct channel_message *message) {
    if (message->body != message->room) {
        free(message->body);
    }
    for (size_t i = 0; i < message->fd_count; i++) {
        fd_close(&message->fds[i]);
    }
    message->body = NULL;
    message->size = 0;
    message->fd_count = 0;
}

// Header and body go out in one call; what a full socket buffer leaves over follows by itself.
static int send_rest(int socket, const char *data, size_t size) {
    while (size > 0) {
        ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return 0;
}

int channel_send(int socket, enum channel_type type, const void *body, size_t size, const int *fds, size_t fd_count,
                 struct err *err) {
    if (size > CHANNEL_MAX_BODY || fd_count > CHANNEL_MAX_FDS) {
        return err_set(err, ERR_INPUT, "the container's configuration is too large: %zu bytes, %zu descriptors", size, fd_count);
    }
    struct header header = {.type = type, .size = (uint32_t)size, .fd_count = (uint32_t)fd_count};
    // sendmsg(2) does not write to the body; iovec has no const.
    struct iovec parts[2] = {{.iov_base = &header, .iov_len = sizeof(header)}, {.iov_len = size}};
    memcpy(&parts[1].iov_base, &body, sizeof(body));
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
    union control control = {0};
    if (fd_count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < (ssize_t)sizeof(header)) {
        return err_sys(err, "talk to the container's init");
    }
    size_t body_sent = (size_t)sent - sizeof(header);
    if (body_sent < size && send_rest(socket, (const char *)body + body_sent, size - body_sent) < 0) {
        return err_sys(err, "talk to the container's init");
    }
    return 0;
}

static void take_descriptors(struct msghdr *message, struct channel_message *ret) {
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_RIGHTS) {
            ret->fd_count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(ret->fds, CMSG_DATA(at), ret->fd_count * sizeof(int));
        }
    }
}

int channel_receive(int socket, struct channel_message *ret_message, struct err *err) {
    struct header header;
    struct iovec part = {.iov_base = &header, .iov_len = sizeof(header)};
    union control control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    ret_message->body = NULL;
    ret_message->size = 0;
    ret_message->fd_count = 0;
    ssize_t got;
    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != ECONNRESET) {
        return err_sys(err, "listen to the container's init");
    }
    if (got <= 0) {
        ret_message->type = CHANNEL_END;
        return 0;
    }
    take_descriptors(&message, ret_message);
    if ((size_t)got != sizeof(header) || (message.msg_flags & MSG_CTRUNC) || header.size > CHANNEL_MAX_BODY ||
        header.fd_count != ret_message->fd_count || header.type < CHANNEL_PLAN || header.type >= CHANNEL_END) {
        channel_message_finish(ret_message);
        return err_set(err, ERR_INPUT, "listen to the container's init: a message with a bad header");
    }
    if (header.size > 0) {
        ret_message->body = header.size < CHANNEL_BODY_ROOM ? ret_message->room : mem_alloc((size_t)header.size + 1);
        ret_message->body[header.size] = '\0';
        ssize_t body = fd_read_full(socket, ret_message->body, header.size);
        if (body != (ssize_t)header.size) {
            channel_message_finish(ret_message);
            return err_set(err, ERR_INPUT, "listen to the container's init: a message ends early");
        }
    }
    ret_message->type = (enum channel_type)header.type;
    ret_message->size = header.size;
    return 0;
}
