// trunk: a port of a bridge that many containers share, for bridges that are crowded.
//
// Theory of operation. Whenever a port joins a bridge or leaves it, the kernel walks all its ports several times, so that the thousandth
// costs much more than the tenth; and it allows 1023. A trunk is a pair of interfaces (veth(4)), one end of it the bridge's port. On its
// other end are the containers' interfaces, each a macvlan within its container's namespace: it is found by its hardware address, not by
// walking, hears those beside it without the bridge, and others through it. A container whose interface is on a trunk is on the network
// as any other, but receives only what is sent to its own hardware address, to groups or to all.
//
// Who may set his interface as he likes (CAP_NET_ADMIN over the container's namespace) can make it a macvlan of another mode, which hears
// what is sent to its neighbours on the trunk: he gets a port of his own.
//
// The other end is the host's own as far as the kernel is concerned, but nobody speaks by it: it has no addresses and answers no ARP,
// and what containers send to its hardware address the packet filter drops before all else (runtime/net/ruleset.c), by the name.
#ifndef COFFER_NET_TRUNK_H
#define COFFER_NET_TRUNK_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

// What the names of the other end and of the bridge's port begin with.
#define TRUNK_PREFIX "cot-"
#define TRUNK_PORT_PREFIX "cop-"

struct trunk_request {
    const char *bridge;
    const char *name, *port; // of the two ends, with these prefixes: derived from ids by the caller
    uint32_t mtu;            // bytes; 0: the kernel's
};

struct trunk {
    int index, port_index; // of the host's namespace; 0: there is none
    bool made;             // just now
};

// Makes it where it is not there. fd: netlink_open(). A bridge that was made anew gets the port back by endpoint_rejoin(), and
// endpoint_remove() takes the trunk away.
int trunk_ensure(int fd, const struct trunk_request *request, struct trunk *ret, struct err *err) MUST_CHECK;

// Whether anybody is on one of these trunks: the kernel tells of interfaces in other namespaces no more than their hardware addresses. The
// kernel tells its listeners (RTNLGRP_LINK) when the last one has left.
int trunks_are_used(int fd, const int *indexes, size_t count, bool *ret, struct err *err) MUST_CHECK;

#endif
