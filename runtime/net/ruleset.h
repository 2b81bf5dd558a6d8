// ruleset: what our table of the packet filter consists of: sets, chains and rules, all of them fixed. Networks and ports are
// elements of the sets and maps, so a packet meets the same few rules, and a container costs the same, however many there are.
//
//     chain early         prerouting, raw      an address of 127.0.0.0/8 does not come in by a bridge of ours
//     (sysctl_route_localnet) chain prerouting    prerouting, dstnat   what is addressed to this host, but not by 127.0.0.0/8:
//     publish chain output        output, dstnat       the same of what this host sends itself chain publish looks the port up,
//     first with the host's address, then without, and turns it to the container chain postrouting   postrouting, srcnat  hides the
//     sender behind the host: networks' traffic to elsewhere, the host's 127.0.0.1, and a
//                                              container's to a port published on its own network, whose answer would not come by
//                                              us otherwise
//     chain forward       forward, filter      into a network comes only what belongs to a connection that it began, or was
//     published;
//                                              into and out of an internal one nothing
#ifndef COFFER_NET_RULESET_H
#define COFFER_NET_RULESET_H

#include "runtime/net/address.h"
#include "runtime/net/nft.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ruleset_set {
    SET_BRIDGES,     // { interface }: all of ours
    SET_WITHIN,      // { interface . interface }: each with itself
    SET_INTERNAL,    // { interface }
    SET_MASQUERADE4, // { subnet }: what is hidden behind the host
    SET_MASQUERADE6,
    SET_HAIRPIN4, // { subnet . subnet }: those of a network with each other, and themselves
    SET_HAIRPIN6,
    SET_PUBLISH4, // { protocol . host's address . host's port : address . port }
    SET_PUBLISH6,
    SET_PUBLISH4_ANY, // { protocol . host's port : address . port }
    SET_PUBLISH6_ANY,
    SET_COUNT
};

const char *ruleset_set_name(enum ruleset_set set);

// Bytes of a set's key, and of what it leads to, 0 of a set that is no map.
uint32_t ruleset_key_size(enum ruleset_set set);
uint32_t ruleset_data_size(enum ruleset_set set);

// Adds all that is not there, and the chains' rules anew, to a transaction; elements of sets stay.
void ruleset_add(struct nft_batch *batch);

// Whether the table is there as this program would make it, told by the number of its parts and of each chain's rules: what an
// administrator or another program may have flushed.
enum ruleset_state { RULESET_ABSENT, RULESET_DAMAGED, RULESET_OTHER_VERSION, RULESET_WHOLE };
int ruleset_look(int fd, enum ruleset_state *ret_state, struct err *err) MUST_CHECK;

#endif
