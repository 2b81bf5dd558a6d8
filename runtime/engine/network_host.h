// network_host: what a network is on this host: its bridge, and its part of the packet filter.
#ifndef COFFER_ENGINE_NETWORK_HOST_H
#define COFFER_ENGINE_NETWORK_HOST_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"
#include "runtime/net/link.h"

#include <stdbool.h>

struct err;

enum { NETWORK_FAMILIES = 2 };

// Of each family that the network has; returns how many.
size_t network_planes(const struct network *network, struct subnet subnets[NETWORK_FAMILIES],
                      struct link_address gateways[NETWORK_FAMILIES]);

// What was found wanting when a network was made: what else was there is gone, too.
struct network_losses {
    bool firewall; // the whole table: all networks and ports have to be told again
    bool bridge;   // who was in it is in none now
};

// Sees to it that all of a bridge network is there. ports: some are, or will be, published in it. Where this host cannot have
// networks, ERR_UNSUPPORTED says what goes without. *ret_losses is written on an error, too: what was lost of others has been put
// right in part by then, and is not found wanting a second time. See network_heal.h.
int network_make(const struct network *network, bool ports, struct network_losses *ret_losses, struct err *err) MUST_CHECK;

// Takes it away, when nobody is on it any more. A bridge that was there before stays.
int network_lower(const struct network *network, struct err *err) MUST_CHECK;

#endif
