// elements: what networks and ports are as elements of the ruleset's sets and maps, in both directions.
#ifndef COFFER_NET_ELEMENTS_H
#define COFFER_NET_ELEMENTS_H

#include "runtime/base/buf.h"
#include "runtime/net/firewall.h"
#include "runtime/net/nft.h"
#include "runtime/net/ruleset.h"

#include <stdbool.h>
#include <stdint.h>

// A key and, in a map, what it leads to, as the kernel compares them: fields one after another, each filled up to four bytes.
enum { ELEMENT_KEY_SIZE = 32, ELEMENT_DATA_SIZE = 20 };
enum element_kind {
    ELEMENT_PLAIN,
    ELEMENT_BEHIND, // the key is the first behind a subnet, which began with a plain one
    ELEMENT_RANGE,  // up to `last`, in each field
};
struct element {
    enum element_kind kind;
    uint8_t key[ELEMENT_KEY_SIZE], last[ELEMENT_KEY_SIZE];
    uint8_t data[ELEMENT_DATA_SIZE];
};

// Those that go into one transaction.
struct elements {
    struct buf of[SET_COUNT]; // struct element[] each
};

void elements_finish(struct elements *elements);
#define AUTO_ELEMENTS AUTO(elements_finish)

void elements_add_bridge(struct elements *elements, const char *bridge, bool internal);
void elements_add_subnets(struct elements *elements, const struct subnet *subnets, size_t count, bool masquerade);
void elements_add_port(struct elements *elements, const struct firewall_port *port);

// Adds messages of this type (NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM) about all of them; each bears the comment, if there is one.
void elements_put(struct nft_batch *batch, const struct elements *elements, uint16_t type, const char *comment);

// A port from its element.
struct firewall_port elements_port(enum ruleset_set set, const uint8_t *key, const uint8_t *data);

const char *elements_protocol_name(uint8_t protocol);

#endif
