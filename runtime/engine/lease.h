// lease: addresses of a network that containers have.
//
// A lease is one symbolic link in the network's folder, leases/ADDRESS, to the container's id (links.h). It is taken by one system
// call, so two takers cannot both have it, and nothing can be half written. One that belongs to a container that does not run is
// stale: whoever meets it takes it away.
//
// Addresses are given one after another, and not again before all others had their turn: what has just been left is still known to
// neighbours, to connections and to resolvers of others.
#ifndef COFFER_ENGINE_LEASE_H
#define COFFER_ENGINE_LEASE_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"
#include "runtime/engine/record.h"
#include "runtime/net/address.h"

struct lease {
    char container[RECORD_ID_SIZE];
    struct address ipv4, ipv6; // family 0 where there is none
};

struct lease_wish {
    const char *container;             // its id; its record is locked by the caller: it counts as running
    int folder_fd;                     // network_open()'s
    const struct address *ipv4, *ipv6; // --ip, --ip6; NULL: any. One that the container has already is as good as taken.
};

// Takes an address of each family that the network has.
int lease_take(const struct home *home, const struct network *network, const struct lease_wish *wish, struct lease *ret,
               struct err *err) MUST_CHECK;

// Gives back what lease_take has taken.
void lease_release(const struct home *home, const char *network_id, const struct lease *lease);

// Those of containers that run, one item a container: *ret lives in the arena.
int lease_list(const struct home *home, struct arena *arena, const char *network_id, struct lease **ret, size_t *ret_count,
               struct err *err) MUST_CHECK;

// Takes away the stale ones of all networks, and the names their containers were known by. Returns how many there were.
// Never fails; logs what it cannot do.
size_t leases_sweep(const struct home *home);

#endif
