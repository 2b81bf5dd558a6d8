// bridge: the switch that a network is on this host, made by one call whether or not some of it is there already.
//
// It forwards at once (no spanning tree, no delay), keeps one hardware address whoever joins it, and has exactly the IPv6 addresses
// it was given, all of them usable at once.
#ifndef COFFER_NET_BRIDGE_H
#define COFFER_NET_BRIDGE_H

#include "runtime/base/attr.h"
#include "runtime/net/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct bridge_request {
    const char *name;                     // derived from the network's id by the caller; one interface a name
    const struct link_address *addresses; // the host's own on it: the containers' gateways
    size_t address_count;
    uint32_t mtu; // bytes; 0: the kernel's, 1500
    const char *note; // on one that is made now, for who removes it; NULL: none
};

// Makes it and what is missing of it, and returns its number. Something else of that name is an error, nothing of it is changed
// then. *ret_made, where wanted: it was not there.
int bridge_ensure(const struct bridge_request *request, int *ret_index, bool *ret_made, struct err *err) MUST_CHECK;

// Its number, 0 when there is none.
int bridge_find(const char *name, int *ret_index, struct err *err) MUST_CHECK;

// About how many ports it has, while some come and go; 0 where there is none. The kernel looks at all interfaces for that.
int bridge_count_ports(const char *name, size_t *ret, struct err *err) MUST_CHECK;

// That there is none is no error; what is no bridge stays, and one without this note, where it is not NULL.
int bridge_remove(const char *name, const char *note, struct err *err) MUST_CHECK;

#endif
