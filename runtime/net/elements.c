#include "runtime/net/elements.h"

#include <assert.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

// What one attribute can hold of elements (64 KiB): 140 bytes of the largest, and a comment.
enum { ELEMENTS_A_MESSAGE = 250 };

void elements_finish(struct elements *elements) {
    for (size_t i = 0; i < SET_COUNT; i++) {
        buf_finish(&elements->of[i]);
    }
}

static void add(struct elements *elements, enum ruleset_set set, const struct element *element) {
    buf_add(&elements->of[set], element, sizeof(*element));
}

void elements_add_bridge(struct elements *elements, const char *bridge, bool internal) {
    struct element one = {0}, twice = {0};
    size_t size = strnlen(bridge, IFNAMSIZ - 1);
    memcpy(one.key, bridge, size);
    memcpy(twice.key, bridge, size);
    memcpy(twice.key + IFNAMSIZ, bridge, size);
    add(elements, SET_BRIDGES, &one);
    add(elements, SET_WITHIN, &twice);
    if (internal) {
        add(elements, SET_INTERNAL, &one);
    }
}

static void last_of(const struct subnet *subnet, uint8_t ret[16]) {
    memcpy(ret, subnet->base.bytes, 16);
    for (unsigned bit = subnet->prefix; bit < address_bits(&subnet->base); bit++) {
        ret[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
}

// False behind the last of all.
static bool first_behind(const struct subnet *subnet, uint8_t ret[16]) {
    last_of(subnet, ret);
    for (unsigned byte = address_bits(&subnet->base) / 8; byte-- > 0;) {
        if (++ret[byte] != 0) {
            return true;
        }
    }
    return false;
}

static void add_field(struct element *element, size_t field, const struct subnet *subnet) {
    size_t size = address_bits(&subnet->base) / 8;
    uint8_t last[16];
    last_of(subnet, last);
    memcpy(element->key + field * size, subnet->base.bytes, size);
    memcpy(element->last + field * size, last, size);
}

static void add_hairpin(struct elements *elements, const struct subnet *from, const struct subnet *to) {
    struct element both = {.kind = ELEMENT_RANGE};
    add_field(&both, 0, from);
    add_field(&both, 1, to);
    add(elements, from->base.family == AF_INET ? SET_HAIRPIN4 : SET_HAIRPIN6, &both);
}

static void add_masquerade(struct elements *elements, const struct subnet *subnet) {
    enum ruleset_set set = subnet->base.family == AF_INET ? SET_MASQUERADE4 : SET_MASQUERADE6;
    struct element first = {0}, behind = {.kind = ELEMENT_BEHIND};
    memcpy(first.key, subnet->base.bytes, 16);
    add(elements, set, &first);
    if (first_behind(subnet, behind.key)) {
        add(elements, set, &behind);
    }
}

void elements_add_subnets(struct elements *elements, const struct subnet *subnets, size_t count, bool masquerade) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (subnets[i].base.family == subnets[j].base.family) {
                add_hairpin(elements, &subnets[i], &subnets[j]);
            }
        }
        if (masquerade) {
            add_masquerade(elements, &subnets[i]);
        }
    }
}

static void put_port(uint8_t *at, unsigned port) {
    at[0] = port >> 8 & 0xff;
    at[1] = port & 0xff;
}

static unsigned get_port(const uint8_t *at) {
    return (unsigned)at[0] << 8 | at[1];
}

static size_t address_size(const struct address *address) {
    return address_bits(address) / 8;
}

void elements_add_port(struct elements *elements, const struct firewall_port *port) {
    bool any = port->host.family == 0, old = port->target.family == AF_INET;
    enum ruleset_set set = any ? (old ? SET_PUBLISH4_ANY : SET_PUBLISH6_ANY) : old ? SET_PUBLISH4 : SET_PUBLISH6;
    size_t host_size = any ? 0 : address_size(&port->host), target_size = address_size(&port->target);
    assert(any || port->host.family == port->target.family);
    for (unsigned i = 0; i < (port->count ? port->count : 1u); i++) {
        struct element element = {.key = {port->protocol}};
        memcpy(element.key + 4, port->host.bytes, host_size);
        put_port(element.key + 4 + host_size, port->host_port + i);
        memcpy(element.data, port->target.bytes, target_size);
        put_port(element.data + target_size, port->target_port + i);
        add(elements, set, &element);
    }
}

struct firewall_port elements_port(enum ruleset_set set, const uint8_t *key, const uint8_t *data) {
    bool any = set == SET_PUBLISH4_ANY || set == SET_PUBLISH6_ANY, old = set == SET_PUBLISH4 || set == SET_PUBLISH4_ANY;
    uint8_t family = old ? AF_INET : AF_INET6;
    struct firewall_port port = {.protocol = key[0], .host.family = any ? 0 : family, .target.family = family, .count = 1};
    size_t size = address_size(&port.target), host_size = any ? 0 : size;
    memcpy(port.host.bytes, key + 4, host_size);
    port.host_port = (uint16_t)get_port(key + 4 + host_size);
    memcpy(port.target.bytes, data, size);
    port.target_port = (uint16_t)get_port(data + size);
    return port;
}

static void put_value(struct buf *batch, uint16_t type, const void *value, size_t size) {
    size_t nest = netlink_nest(batch, type);
    netlink_add(batch, NFTA_DATA_VALUE, value, size);
    netlink_nest_end(batch, nest);
}

static void put_comment(struct buf *batch, const char *comment) {
    uint8_t bytes[2 + FIREWALL_OWNER_SIZE] = {0}; // as nft(8) keeps one: type, size, text with its NUL
    size_t size = strnlen(comment, FIREWALL_OWNER_SIZE - 1) + 1;
    bytes[1] = (uint8_t)size;
    memcpy(bytes + 2, comment, size - 1);
    netlink_add(batch, NFTA_SET_ELEM_USERDATA, bytes, 2 + size);
}

static void put_element(struct buf *batch, enum ruleset_set set, const struct element *element, bool whole, const char *comment) {
    size_t nest = netlink_nest(batch, NFTA_LIST_ELEM);
    put_value(batch, NFTA_SET_ELEM_KEY, element->key, ruleset_key_size(set));
    if (whole && ruleset_data_size(set)) {
        put_value(batch, NFTA_SET_ELEM_DATA, element->data, ruleset_data_size(set));
    }
    if (element->kind == ELEMENT_BEHIND) {
        netlink_add_be32(batch, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    }
    if (element->kind == ELEMENT_RANGE) {
        put_value(batch, NFTA_SET_ELEM_KEY_END, element->last, ruleset_key_size(set));
    }
    if (comment) {
        put_comment(batch, comment);
    }
    netlink_nest_end(batch, nest);
}

static void put_some(struct nft_batch *batch, enum ruleset_set set, const struct element *some, size_t count, uint16_t type,
                     const char *comment) {
    bool whole = type == NFT_MSG_NEWSETELEM;
    nft_message(batch, type, whole ? NLM_F_CREATE : 0);
    netlink_add_string(&batch->messages, NFTA_SET_ELEM_LIST_SET, ruleset_set_name(set));
    size_t list = netlink_nest(&batch->messages, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < count; i++) {
        put_element(&batch->messages, set, &some[i], whole, comment);
    }
    netlink_nest_end(&batch->messages, list);
}

void elements_put(struct nft_batch *batch, const struct elements *elements, uint16_t type, const char *comment) {
    for (size_t set = 0; set < SET_COUNT; set++) {
        const struct element *all = (const void *)elements->of[set].data;
        size_t count = elements->of[set].size / sizeof(*all);
        for (size_t at = 0; at < count; at += ELEMENTS_A_MESSAGE) {
            size_t some = count - at < ELEMENTS_A_MESSAGE ? count - at : ELEMENTS_A_MESSAGE;
            put_some(batch, set, all + at, some, type, comment);
        }
    }
}

const char *elements_protocol_name(uint8_t protocol) {
    return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : protocol == IPPROTO_SCTP ? "sctp" : "?";
}
