// network_host: what a network is on this host: its bridge, and its part of the packet filter.
#ifndef COFFER_ENGINE_NETWORK_HOST_H
#define COFFER_ENGINE_NETWORK_HOST_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"
#include "runtime/net/link.h"

#include <stdbool.h>

struct err;
struct home;

enum { NETWORK_FAMILIES = 2 };

// Of each family that the network has; returns how many.
size_t network_planes(const struct network *network, struct subnet subnets[NETWORK_FAMILIES],
                      struct link_address gateways[NETWORK_FAMILIES]);

// Sees to it that all of a bridge network is there. ports: some are, or will be, published in it. Where this host cannot have
// networks, ERR_UNSUPPORTED says what goes without.
int network_raise(const struct home *home, const struct network *network, bool ports, struct err *err) MUST_CHECK;

#endif
