// announce: tells the neighbours of an interface which hardware address its addresses have now, so that those who remember another
// one forget it: gratuitous ARP (RFC 5227, section 3) and unsolicited neighbour advertisements (RFC 4861, 7.2.6).
#ifndef COFFER_NET_ANNOUNCE_H
#define COFFER_NET_ANNOUNCE_H

#include "runtime/base/attr.h"
#include "runtime/net/link.h"

#include <stddef.h>
#include <stdint.h>

struct err;

// The interface of that number in the namespace netns_fd, where the caller, who has one thread, is for a moment. That something
// cannot be sent is told to the log alone: a neighbour asks again by itself after some seconds. Not to come back is an error.
int announce_addresses(int netns_fd, int index, const uint8_t mac[MAC_SIZE], const struct link_address *addresses, size_t count,
                       struct err *err) MUST_CHECK;

#endif
