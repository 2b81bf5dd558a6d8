// routes: which subnets this host reaches already, by its routes and by its own addresses (rtnetlink(7)). A network of containers
// that overlapped one of them would hide it: a VPN, most often.
//
// Left out is what stands for everything: default routes, and the halves and quarters of all addresses that VPNs lay over those
// (0.0.0.0/1, 2000::/3). All tables of routes count, as VPNs have tables of their own.
#ifndef COFFER_NET_ROUTES_H
#define COFFER_NET_ROUTES_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

struct route {
    struct subnet subnet;
    uint32_t index;  // of the interface; 0: none
    bool is_address; // of the host, with the prefix it was given
};

// Of the calling thread's network namespace. *ret_routes lives in the arena.
int routes_read(struct arena *arena, struct route **ret_routes, size_t *ret_count, struct err *err) MUST_CHECK;

// The interfaces of the main table's default routes, 0 where there is none of the family.
int routes_read_default(uint32_t *ret_index_4, uint32_t *ret_index_6, struct err *err) MUST_CHECK;

// The host's address that others elsewhere see, of this family: what it sends by its default route bears it. Of no family: none.
struct address routes_own_address(uint8_t family);

enum { ROUTE_TEXT_SIZE = 128 };

// "route to 10.8.0.0/24 of tun0", "network 192.168.1.0/24 of eth0". Asks the kernel for the interface's name. Returns text.
const char *route_describe(const struct route *route, char text[ROUTE_TEXT_SIZE]);

#endif
