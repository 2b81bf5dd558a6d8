// netlink: requests to the kernel (netlink(7)): its routing family (rtnetlink(7)), its packet filter's, and that of sockets;
// several of them in one datagram.
//
// A batch is a buf of messages, each followed by its attributes; the kernel works through it in order, before send(2) returns, and
// answers each that failed or asked for an answer (NLM_F_ACK). So a batch whose last message asks is done when that answer is
// there. libmnl would do the same with four times the code that is used of it, and is not to be had as an archive for every C
// library.
#ifndef COFFER_KERNEL_NETLINK_H
#define COFFER_KERNEL_NETLINK_H

#include "runtime/base/attr.h"

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

// A socket of the calling thread's network namespace, for the routing family or another one (NETLINK_NETFILTER, ...). It answers
// requests about that namespace wherever its holder goes, and keeps the namespace alive.
int netlink_open(struct err *err) MUST_CHECK;
int netlink_open_family(int family, struct err *err) MUST_CHECK;

// The same in the network namespace there_ns, where the caller, who has one thread, is for a moment; not to come back is an error
// then.
int netlink_open_in(int there_ns, int family, struct err *err) MUST_CHECK;

// Lets it hear a multicast group (RTNLGRP_*) too. Before that, all it receives is answers.
int netlink_join(int fd, int group, struct err *err) MUST_CHECK;

// Begins a message of the batch: type RTM_*, flags NLM_F_* beside REQUEST, a number that the answers bear, and the family's own
// header.
void netlink_begin(struct buf *batch, uint16_t type, uint16_t flags, uint32_t number, const void *header, size_t size);

// Adds an attribute to the message begun last.
void netlink_add(struct buf *batch, uint16_t type, const void *data, size_t size);
void netlink_add_u32(struct buf *batch, uint16_t type, uint32_t value);
void netlink_add_u8(struct buf *batch, uint16_t type, uint8_t value);
void netlink_add_be32(struct buf *batch, uint16_t type, uint32_t value); // in network order, as the packet filter has all numbers
void netlink_add_string(struct buf *batch, uint16_t type, const char *text); // with its NUL

// Bytes that are no attribute of their own, within one that is open.
void netlink_append(struct buf *batch, const void *data, size_t size);

// Opens an attribute that holds those added until netlink_nest_end() is given what this returned. One holds at most 65,535 bytes.
size_t netlink_nest(struct buf *batch, uint16_t type);
void netlink_nest_end(struct buf *batch, size_t nest);

int netlink_send(int fd, const struct buf *batch, struct err *err) MUST_CHECK;

// Receives a datagram and calls take() for each message in it, until that returns something else than 0, which is then returned.
typedef int netlink_take(void *context, const struct nlmsghdr *message, struct err *err);
int netlink_receive(int fd, netlink_take *take, void *context, struct err *err) MUST_CHECK;

// What went wrong first in a batch: the error number, 0 if nothing did, and the number of the message. What the caller puts into
// the other two is no failure: that error of that message.
struct netlink_failure {
    int errnum;
    uint32_t number;
    int forgiven_errnum;
    uint32_t forgiven_number;
};

// Sends the batch, whose last message is a dump or bears NLM_F_ACK, and receives until that one, numbered `last`, has been
// answered; or the one numbered 0, if there is any, was refused: what stands for the batch as a whole. What is no answer goes to
// take(), if there is one. A dump that was cut short by a change is EINTR: to be asked again. Returns 0 when all was answered:
// whether it failed then tells ret_failure alone.
int netlink_exchange(int fd, const struct buf *batch, uint32_t last, netlink_take *take, void *context,
                     struct netlink_failure *ret_failure, struct err *err) MUST_CHECK;

// A run of attributes, or the bytes of one.
struct netlink_bytes {
    const void *data;
    size_t size;
};

// The attributes of a message whose own header has `size` bytes.
struct netlink_bytes netlink_attributes(const struct nlmsghdr *message, size_t size);

// Takes the first off the run, which must not be `ret_content`'s own; false at the end.
bool netlink_next(struct netlink_bytes *run, uint16_t *ret_type, struct netlink_bytes *ret_content);

// The content of the first attribute of a type that has at least so many bytes; no bytes, data NULL, where there is none.
struct netlink_bytes netlink_find(struct netlink_bytes run, uint16_t type, size_t least);
uint32_t netlink_find_be32(struct netlink_bytes run, uint16_t type, uint32_t missing);
const char *netlink_find_string(struct netlink_bytes run, uint16_t type); // NULL where there is none, or it does not end

// The attribute of a message whose own header has `size` bytes; NULL when it is missing or shorter than least.
const void *netlink_attribute(const struct nlmsghdr *message, size_t size, uint16_t type, size_t least);
uint32_t netlink_attribute_u32(const struct nlmsghdr *message, size_t size, uint16_t type, uint32_t missing);

// The error number that an answer (NLMSG_ERROR) bears: 0 for an acknowledgement. -1 when the message is no answer.
int netlink_answer(const struct nlmsghdr *message);

#endif
