#include "runtime/kernel/netlink.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

enum { RECEIVE_BYTES = 32768 }; // more than the kernel puts in a datagram of a dump

int netlink_open_family(int family, struct err *err) {
    AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return err_sys(err, "open a netlink socket");
    }
    // What a dump is asked to leave out is left out (Linux 4.20), and errors come without a copy of the request. Without these
    // there is only more to read.
    int on = 1;
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    return fd_take(&fd);
}

int netlink_open(struct err *err) {
    return netlink_open_family(NETLINK_ROUTE, err);
}

int netlink_open_in(int there_ns, int family, struct err *err) {
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0) {
        return err_sys(err, "open the network namespace");
    }
    if (setns(there_ns, CLONE_NEWNET) < 0) {
        return err_sys(err, "enter the container's network namespace");
    }
    AUTO_FD int fd = netlink_open_family(family, err);
    if (setns(here, CLONE_NEWNET) < 0) {
        return err_sys(err, "come back from the container's network namespace");
    }
    return fd < 0 ? -1 : fd_take(&fd);
}

int netlink_join(int fd, int group, struct err *err) {
    return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
               ? err_sys(err, "listen to netlink group %d", group)
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

void netlink_add_u8(struct buf *batch, uint16_t type, uint8_t value) {
    netlink_add(batch, type, &value, sizeof(value));
}

void netlink_add_be32(struct buf *batch, uint16_t type, uint32_t value) {
    netlink_add_u32(batch, type, htonl(value));
}

void netlink_append(struct buf *batch, const void *data, size_t size) {
    struct nlmsghdr *message = last_message(batch);
    message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + (uint32_t)size;
    buf_add(batch, data, size);
    pad(batch);
}

size_t netlink_nest(struct buf *batch, uint16_t type) {
    size_t nest = batch->size;
    netlink_add(batch, type | NLA_F_NESTED, NULL, 0);
    return nest;
}

void netlink_nest_end(struct buf *batch, size_t nest) {
    struct rtattr *attribute = (struct rtattr *)(void *)(batch->data + nest);
    size_t size = batch->size - nest;
    assert(size <= UINT16_MAX);
    attribute->rta_len = (unsigned short)size;
    // What it holds is padded, so it would reach beyond the message's end otherwise.
    struct nlmsghdr *message = last_message(batch);
    message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len);
}

void netlink_add_string(struct buf *batch, uint16_t type, const char *text) {
    netlink_add(batch, type, text, strlen(text) + 1);
}

// The kernel takes no datagram larger than half the buffer for sending, 104 KiB at first; beyond it we need CAP_NET_ADMIN.
static void make_room(int fd, size_t size) {
    int bytes = (int)size;
    if (size > 64 * 1024) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    }
}

int netlink_send(int fd, const struct buf *batch, struct err *err) {
    ssize_t sent;
    make_room(fd, batch->size);
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

struct exchange {
    netlink_take *take;
    void *context;
    uint32_t last;
    bool done;
    struct netlink_failure failure;
};

static void note_failure(struct exchange *exchange, int errnum, uint32_t number) {
    struct netlink_failure *failure = &exchange->failure;
    bool forgiven = errnum == failure->forgiven_errnum && number == failure->forgiven_number;
    if (errnum > 0 && failure->errnum == 0 && !forgiven) {
        failure->errnum = errnum;
        failure->number = number;
    }
}

static int take_exchange(void *context, const struct nlmsghdr *message, struct err *err) {
    struct exchange *exchange = context;
    int answer = netlink_answer(message);
    if (message->nlmsg_flags & NLM_F_DUMP_INTR) {
        note_failure(exchange, EINTR, message->nlmsg_seq);
    }
    if (answer < 0 && message->nlmsg_type != NLMSG_DONE) {
        return exchange->take ? exchange->take(exchange->context, message, err) : 0;
    }
    note_failure(exchange, answer, message->nlmsg_seq);
    exchange->done = exchange->done || message->nlmsg_seq == exchange->last || (answer > 0 && message->nlmsg_seq == 0);
    return 0;
}

// What a batch that was refused as a whole has left unread: all of it is there already.
static void drain(int fd) {
    char room[64];
    while (recv(fd, room, sizeof(room), MSG_DONTWAIT) > 0) {
    }
}

int netlink_exchange(int fd, const struct buf *batch, uint32_t last, netlink_take *take, void *context,
                     struct netlink_failure *ret_failure, struct err *err) {
    struct exchange exchange = {.take = take, .context = context, .last = last, .failure = *ret_failure};
    exchange.failure.errnum = 0;
    int result = netlink_send(fd, batch, err);
    while (result == 0 && !exchange.done) {
        result = netlink_receive(fd, take_exchange, &exchange, err);
    }
    if (result == 0 && exchange.failure.errnum && exchange.failure.number == 0 && last != 0) {
        drain(fd);
    }
    if (result == 0) {
        *ret_failure = exchange.failure;
    }
    return result;
}

struct netlink_bytes netlink_attributes(const struct nlmsghdr *message, size_t size) {
    if (message->nlmsg_len < NLMSG_SPACE(size)) {
        return (struct netlink_bytes){0};
    }
    return (struct netlink_bytes){(const char *)message + NLMSG_SPACE(size), message->nlmsg_len - NLMSG_SPACE(size)};
}

bool netlink_next(struct netlink_bytes *run, uint16_t *ret_type, struct netlink_bytes *ret_content) {
    const struct rtattr *at = run->data;
    if (!RTA_OK(at, run->size)) {
        return false;
    }
    *ret_type = at->rta_type & NLA_TYPE_MASK;
    *ret_content = (struct netlink_bytes){RTA_DATA(at), RTA_PAYLOAD(at)};
    size_t step = RTA_ALIGN(at->rta_len);
    step = step < run->size ? step : run->size;
    *run = (struct netlink_bytes){(const char *)run->data + step, run->size - step};
    return true;
}

struct netlink_bytes netlink_find(struct netlink_bytes run, uint16_t type, size_t least) {
    uint16_t found;
    struct netlink_bytes content;
    while (netlink_next(&run, &found, &content)) {
        if (found == type) {
            return content.size >= least ? content : (struct netlink_bytes){0};
        }
    }
    return (struct netlink_bytes){0};
}

uint32_t netlink_find_be32(struct netlink_bytes run, uint16_t type, uint32_t missing) {
    uint32_t value;
    struct netlink_bytes content = netlink_find(run, type, sizeof(value));
    if (!content.data) {
        return missing;
    }
    memcpy(&value, content.data, sizeof(value));
    return ntohl(value);
}

const char *netlink_find_string(struct netlink_bytes run, uint16_t type) {
    struct netlink_bytes content = netlink_find(run, type, 1);
    return content.data && memchr(content.data, 0, content.size) ? content.data : NULL;
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
