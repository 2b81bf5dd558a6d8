// netlink: requests to the kernel's routing family (rtnetlink(7)), several of them in one datagram.
//
// A batch is a buf of messages, each followed by its attributes; the kernel works through it in order and answers each. libmnl would
// do the same with four times the code that is used of it, and is not to be had as an archive for every C library.
#ifndef COFFER_KERNEL_NETLINK_H
#define COFFER_KERNEL_NETLINK_H

#include "runtime/base/attr.h"

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

// A socket of the calling thread's network namespace. It answers requests about that namespace wherever its holder goes, and keeps the
// namespace alive.
int netlink_open(struct err *err) MUST_CHECK;

// Lets it hear a multicast group (RTNLGRP_*) too. Before that, all it receives is answers.
int netlink_join(int fd, int group, struct err *err) MUST_CHECK;

// Begins a message of the batch: type RTM_*, flags NLM_F_* beside REQUEST, a number that the answers bear, and the family's own header.
void netlink_begin(struct buf *batch, uint16_t type, uint16_t flags, uint32_t number, const void *header, size_t size);

// Adds an attribute to the message begun last.
void netlink_add(struct buf *batch, uint16_t type, const void *data, size_t size);
void netlink_add_u32(struct buf *batch, uint16_t type, uint32_t value);
void netlink_add_string(struct buf *batch, uint16_t type, const char *text); // with its NUL

int netlink_send(int fd, const struct buf *batch, struct err *err) MUST_CHECK;

// Receives a datagram and calls take() for each message in it, until that returns something else than 0, which is then returned.
typedef int netlink_take(void *context, const struct nlmsghdr *message, struct err *err);
int netlink_receive(int fd, netlink_take *take, void *context, struct err *err) MUST_CHECK;

// The attribute of a message whose own header has `size` bytes; NULL when it is missing or shorter than least.
const void *netlink_attribute(const struct nlmsghdr *message, size_t size, uint16_t type, size_t least);
uint32_t netlink_attribute_u32(const struct nlmsghdr *message, size_t size, uint16_t type, uint32_t missing);

// The error number that an answer (NLMSG_ERROR) bears: 0 for an acknowledgement. -1 when the message is no answer.
int netlink_answer(const struct nlmsghdr *message);

#endif
