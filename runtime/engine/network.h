// network: networks of containers as the store keeps them, and what a user may ask of a new one.
//
//   STORE/networks/ID/network.json   what it is; written once
//   STORE/networks/ID/leases/        addresses that are taken (lease.h)
//   STORE/networks/ID/endpoints/     names that are answered (runtime/net/dns_names.h)
//   STORE/networks/names/NAME        a symbolic link to the id (links.h)
//
// A network is there when its name is: the link is made last and removed first, each in one system call, and a folder that no link
// leads to is debris, which the next command that makes or removes a network takes away. Both hold the lock of STORE/networks
// (flock(2)), so that two networks made at once cannot get one subnet.
//
// Nothing of the kernel is made here: a bridge comes into being with the first container.
//
// Three are always there, as docker has them: "bridge", which containers join whose users say nothing, "host" and "none". They are
// made when somebody first asks for a network. "bridge" can be removed, to be made anew by the next who asks: with a subnet that is
// free by then, as after a VPN has come that has the old one, or before that by its user with what he wants of it.
#ifndef COFFER_ENGINE_NETWORK_H
#define COFFER_ENGINE_NETWORK_H

#include "runtime/base/attr.h"
#include "runtime/base/strv.h"
#include "runtime/engine/record.h"
#include "runtime/net/address.h"
#include "specs/values.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct home;

enum network_driver { NETWORK_BRIDGE, NETWORK_MACVLAN, NETWORK_HOST, NETWORK_NULL, NETWORK_DRIVER_COUNT };

// Of one family.
struct network_subnet {
    bool set; // else the network has no addresses of that family
    struct subnet subnet;
    struct address gateway; // within the subnet
    bool has_range;
    struct subnet range; // within the subnet: where containers are given addresses that ask for none
};

// An address that no container is given (--aux-address): a host of the same segment has it.
struct network_reserved {
    const char *name;
    struct address address;
};

struct network {
    char id[RECORD_ID_SIZE];
    const char *name;
    uint32_t driver; // enum network_driver
    int64_t created_s;
    bool internal; // no way out
    bool no_dns;   // names are not answered
    struct network_subnet ipv4, ipv6;
    struct network_reserved *reserved;
    size_t reserved_count;
    struct text_pair *labels;
    size_t labels_count;
    struct text_pair *options; // under docker's names (network_options.h)
    size_t options_count;
};

// What a user wants, as words. Nothing has been checked yet.
struct network_request {
    const char *name;
    const char *driver; // NULL: bridge
    struct strv subnets, ranges, gateways;
    struct strv reserved; // NAME=ADDRESS
    struct strv labels;   // KEY=VALUE, KEY
    struct strv options;  // KEY=VALUE
    bool internal, ipv6, no_dns;
};

// Makes a network; whatever subnet was not named is chosen to overlap no other network, nor what the host reaches. *ret lives in
// the arena.
int network_create(const struct home *home, struct arena *arena, const struct network_request *request, struct network *ret,
                   struct err *err) MUST_CHECK;

// By name, id, or the beginning of one that fits one network only.
int network_find(const struct home *home, struct arena *arena, const char *text, struct network *ret, struct err *err) MUST_CHECK;

// All of them, by name.
int network_list(const struct home *home, struct arena *arena, struct network **ret, size_t *ret_count, struct err *err) MUST_CHECK;

// Removes it. ERR_STATE, with the container's name, while one that runs has an address in it; and for "host" and "none".
int network_remove(const struct home *home, const struct network *network, struct err *err) MUST_CHECK;

// Whether it is one of those that are always there.
bool network_is_predefined(const struct network *network);

// The network's folder, for leases and endpoints, locked against removal while it is open (flock(2), shared). ERR_NOT_FOUND when it
// was removed meanwhile.
int network_open(const struct home *home, const struct network *network, struct err *err) MUST_CHECK;

const char *network_driver_name(uint32_t driver);

// The interface that is its bridge: as the option says, or by its id. Returns name.
const char *network_bridge_name(const struct network *network, char name[IF_NAMESIZE]);

// In bytes; 0: as the host has it.
unsigned network_mtu(const struct network *network);

// The value of an option, NULL when it was not given. `name` is docker's.
const char *network_option(const struct network *network, const char *name);

#endif
