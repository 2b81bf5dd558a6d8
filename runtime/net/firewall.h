// firewall: networks and published ports in the kernel's packet filter: one table of our own, "inet coffer", which nobody else's
// changes, reloads or flushes touch, except those of everything. ruleset.h says what is in it; here it is filled.
//
// All of it is done by a socket, which the caller opens and closes, in the network namespace where it was opened. The kernel takes
// 10 ms over closing one after something was removed (it waits for what is gone to be out of every packet's sight), so who has time
// keeps it.
//
// Each change is one transaction, and its cost does not grow with what is there. What is added again as it is, or removed again, is
// no error; so a caller that was killed in the middle does it once more. Everything needs root (CAP_NET_ADMIN) and a kernel with
// nf_tables, 5.6 or later, and is ERR_UNSUPPORTED without.
#ifndef COFFER_NET_FIREWALL_H
#define COFFER_NET_FIREWALL_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

int firewall_open(struct err *err) MUST_CHECK;

// Sees to it that the table is there and whole. *ret_fresh: it was not, so it may be empty now, and all networks and ports have to
// be told again; that is so until firewall_settle(), so that one who is killed meanwhile leaves it to the next. Where it is whole,
// this is a question of some microseconds.
int firewall_ensure(int fd, bool *ret_fresh, struct err *err) MUST_CHECK;

// All networks and ports have been told again.
int firewall_settle(int fd, struct err *err) MUST_CHECK;

// Removes it with all that is in it.
int firewall_remove(int fd, struct err *err) MUST_CHECK;

// --- networks ---

struct firewall_network {
    const char *bridge;
    const struct subnet *subnets;
    size_t subnet_count;
    bool masquerade; // what goes elsewhere seems to come from the host; otherwise others have to know the way back
    bool internal;   // nothing gets in or out
};

// One network's containers reach each other, and the outside, but not those of other networks, except by ports that are published.
int firewall_network_add(int fd, const struct firewall_network *network, struct err *err) MUST_CHECK;
int firewall_network_remove(int fd, const struct firewall_network *network, struct err *err) MUST_CHECK;

// --- ports ---

struct firewall_port {
    uint8_t protocol;    // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP
    struct address host; // of this host; of no family: all of the target's family
    uint16_t host_port;
    struct address target; // a container's
    uint16_t target_port;
    uint16_t count; // of ports one after another, on both sides; 0 and 1 are one
};

enum { FIREWALL_OWNER_SIZE = 65 }; // as of a container's whole id, with its NUL

// Turns what comes for these ports of the host to containers: from outside, from the host itself, by 127.0.0.1 too if the bridge
// may (see sysctl.h), and from containers. `owner` (shorter than FIREWALL_OWNER_SIZE) is kept with each of them, for whoever looks.
// All or none; a port that is another's is ERR_EXISTS, which names the owner.
int firewall_publish(int fd, const struct firewall_port *ports, size_t count, const char *owner, struct err *err) MUST_CHECK;

// Those that lead elsewhere by now stay.
int firewall_unpublish(int fd, const struct firewall_port *ports, size_t count, struct err *err) MUST_CHECK;

// --- what is there ---

struct firewall_published {
    struct firewall_port port; // one, count 1
    const char *owner;
};

struct firewall_state {
    const char *const *bridges;
    size_t bridge_count;
    const char *const *internal;
    size_t internal_count;
    const struct firewall_published *ports;
    size_t port_count;
};

// Where there is no table, nothing.
int firewall_read(int fd, struct arena *arena, struct firewall_state *ret, struct err *err) MUST_CHECK;

#endif
