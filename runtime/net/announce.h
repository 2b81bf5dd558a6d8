// announce: tells the neighbours of an interface which hardware address its IPv6 addresses have now, so that those who remember another
// one forget it: unsolicited neighbour advertisements (RFC 4861, 7.2.6). For IPv4 the kernel does it (link_add_arp_notify): a packet
// socket of ours would wait 10 ms in close(2), for all processors to have seen that it is gone.
#ifndef COFFER_NET_ANNOUNCE_H
#define COFFER_NET_ANNOUNCE_H

#include "runtime/base/attr.h"
#include "runtime/net/link.h"

#include <stddef.h>
#include <stdint.h>

struct err;

// The interface of that number in the namespace netns_fd, where the caller, who has one thread, is for a moment. That something
// cannot be sent is told to the log alone: a neighbour asks again by itself after some seconds. Not to come back is an error.
int announce_ipv6(int netns_fd, int index, const uint8_t mac[MAC_SIZE], const struct link_address *addresses, size_t count,
                  struct err *err) MUST_CHECK;

#endif
