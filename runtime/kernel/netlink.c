#include "runtime/kernel/netlink.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

enum { RECEIVE_BYTES = 32768 }; // more than the kernel puts in a datagram of a dump

int netlink_open(struct err *err) {
    AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return err_sys(err, "open a netlink socket");
    }
    // What a dump is asked to leave out is left out (Linux 4.20), and errors come without a copy of the request. Without these there is
    // only more to read.
    int on = 1;
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    return fd_take(&fd);
}

int netlink_join(int fd, int group, struct err *err) {
    return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ? err_sys(err, "listen to netlink group %d", group)
                                                                                          : 0;
}

static void pad(struct buf *batch) {
    static const char zeroes[NLMSG_ALIGNTO];
    buf_add(batch, zeroes, NLMSG_ALIGN(batch->size) - batch->size);
}

// The message begun last: the batch is walked, which is short.
static struct nlmsghdr *last_message(struct buf *batch) {
    char *at = batch->data, *end = batch->data + batch->size;
    struct nlmsghdr *last = NULL;
    while (at < end) {
        last = (struct nlmsghdr *)(void *)at;
        at += NLMSG_ALIGN(last->nlmsg_len);
    }
    assert(last);
    return last;
}

void netlink_begin(struct buf *batch, uint16_t type, uint16_t flags, uint32_t number, const void *header, size_t size) {
    const struct nlmsghdr message = {
        .nlmsg_len = (uint32_t)NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = number};
    buf_add(batch, &message, sizeof(message));
    buf_add(batch, header, size);
    pad(batch);
}

void netlink_add(struct buf *batch, uint16_t type, const void *data, size_t size) {
    const struct rtattr attribute = {.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(size)};
    struct nlmsghdr *message = last_message(batch);
    message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + attribute.rta_len;
    buf_add(batch, &attribute, sizeof(attribute));
    buf_add(batch, data, size);
    pad(batch);
}

void netlink_add_u32(struct buf *batch, uint16_t type, uint32_t value) {
    netlink_add(batch, type, &value, sizeof(value));
}

void netlink_add_string(struct buf *batch, uint16_t type, const char *text) {
    netlink_add(batch, type, text, strlen(text) + 1);
}

int netlink_send(int fd, const struct buf *batch, struct err *err) {
    ssize_t sent;
    do {
        sent = send(fd, batch->data, batch->size, 0);
    } while (sent < 0 && errno == EINTR);
    return sent != (ssize_t)batch->size ? err_sys(err, "send a netlink request") : 0;
}

int netlink_receive(int fd, netlink_take *take, void *context, struct err *err) {
    _Alignas(struct nlmsghdr) char room[RECEIVE_BYTES];
    ssize_t size;
    do {
        size = recv(fd, room, sizeof(room), 0);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
        return err_sys(err, "receive a netlink answer");
    }
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)room;
    for (uint32_t left = (uint32_t)size; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
        int result = take(context, message, err);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

const void *netlink_attribute(const struct nlmsghdr *message, size_t size, uint16_t type, size_t least) {
    if (message->nlmsg_len < NLMSG_SPACE(size)) {
        return NULL;
    }
    uint32_t left = message->nlmsg_len - (uint32_t)NLMSG_SPACE(size);
    const struct rtattr *at = (const void *)((const char *)message + NLMSG_SPACE(size));
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
        if ((at->rta_type & NLA_TYPE_MASK) == type) {
            return RTA_PAYLOAD(at) >= least ? RTA_DATA(at) : NULL;
        }
    }
    return NULL;
}

uint32_t netlink_attribute_u32(const struct nlmsghdr *message, size_t size, uint16_t type, uint32_t missing) {
    uint32_t value = missing;
    const void *data = netlink_attribute(message, size, type, sizeof(value));
    if (data) {
        memcpy(&value, data, sizeof(value));
    }
    return value;
}

int netlink_answer(const struct nlmsghdr *message) {
    if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        return -1;
    }
    const struct nlmsgerr *answer = NLMSG_DATA(message);
    return -answer->error;
}
