// network_crowd: whether so many containers are on a network that the next ones go onto trunks (runtime/net/trunk.h).
//
// Theory of operation. Up to some 64 ports a bridge is as fast as it gets. From then on containers are on one of 16 trunks, which follows
// from their id. Whether it is so is looked up at each sixteenth address that is given away, and kept in a file of the network's folder
// in between, so that a start costs one look at that. It is a hint: that it is late, or lost, does no harm but to speed.
#ifndef COFFER_ENGINE_NETWORK_CROWD_H
#define COFFER_ENGINE_NETWORK_CROWD_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"

#include <net/if.h>
#include <stdbool.h>

struct address;
struct err;
struct home;

struct network_crowd {
    bool now;  // the next ones go onto trunks
    bool ever; // some may be there
};

struct network_crowd network_crowd_read(int folder_fd);

// Looks and keeps it, if this address has its turn; in the namespace where the network is. Never fails; logs why not.
void network_crowd_look(const struct home *home, const struct network *network, const struct address *given, struct network_crowd *crowd);

// The trunk of a container, by the first digit of its id, and the bridge's port. They return name.
const char *network_trunk_name(const struct network *network, const char *container, char name[IF_NAMESIZE]);
const char *network_trunk_port(const struct network *network, const char *container, char name[IF_NAMESIZE]);

// Puts all of its trunks into a bridge that was made anew; removes them all. In the namespace where the network is.
int network_trunks_rejoin(const struct network *network, struct err *err) MUST_CHECK;
int network_trunks_remove(const struct network *network, struct err *err) MUST_CHECK;

#endif
