// edge: what an ordinary user's network namespace needs to be a host to networks: ways in and out that pasta makes (rootless.h),
// several of them at once.
//
// Theory of operation. The way out of most is one pasta's interface, by the default route. A pasta that listens for published ports
// has an interface of its own; what comes by it has the sender's own address, is turned to a container by the packet filter, and
// the answers must leave the way they came. So all that a container with published ports sends to the outside goes by its own
// pasta: a rule sends it to a table with another default route. Its number is the interface's, which no later one gets; so a rule
// that was left behind leads to an empty table, and does nothing.
#ifndef COFFER_NET_EDGE_H
#define COFFER_NET_EDGE_H

#include "runtime/base/attr.h"
#include "runtime/net/link.h"

#include <stddef.h>

struct err;

// Of a namespace that is new: no way is too odd for a packet to come by, what has a route of its own goes by that before any rule
// is asked, and what comes to ::1 has another sender than that, so that it can be turned to a container.
int edge_prepare(struct err *err) MUST_CHECK;

struct edge_request {
    const char *name;                  // the interface that pasta has made
    const struct link_address *planes; // its addresses
    const struct address *gateways;    // of each
    size_t plane_count;
    const struct address *senders; // whose packets leave by it
    size_t sender_count;
};

// Sets the interface up. What was settled for the same senders before is forgotten.
int edge_make(const struct edge_request *request, struct err *err) MUST_CHECK;

#endif
