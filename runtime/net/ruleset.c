#include "runtime/net/ruleset.h"

#include "runtime/base/err.h"
#include "runtime/net/trunk.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

// Goes up whenever what follows changes; the table bears it as its comment.
static const char version[] = "coffer networks, version 3";

// --- sets ---

// nft's own numbers for the types of fields, six bits each of a concatenation (nft(8), "DATA TYPES"); the kernel only keeps them.
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTOCOL = 12, TYPE_PORT = 13, TYPE_INTERFACE = 41, TYPE_BITS = 6 };
#define PAIR(a, b) ((a) << TYPE_BITS | (b))

// clang-format off
static const struct {
    const char *name;
    uint32_t flags, key_type, key_size, data_type, data_size;
    uint32_t field_size; // of the two fields that intervals are concatenated of
} sets[] = {
    [SET_BRIDGES]      = {"bridges", 0, TYPE_INTERFACE, IFNAMSIZ},
    [SET_WITHIN]       = {"within", 0, PAIR(TYPE_INTERFACE, TYPE_INTERFACE), 2 * IFNAMSIZ},
    [SET_INTERNAL]     = {"internal", 0, TYPE_INTERFACE, IFNAMSIZ},
    [SET_MASQUERADE4]  = {"masquerade4", NFT_SET_INTERVAL, TYPE_IPV4, 4},
    [SET_MASQUERADE6]  = {"masquerade6", NFT_SET_INTERVAL, TYPE_IPV6, 16},
    [SET_HAIRPIN4]     = {"hairpin4", NFT_SET_INTERVAL | NFT_SET_CONCAT, PAIR(TYPE_IPV4, TYPE_IPV4), 8, .field_size = 4},
    [SET_HAIRPIN6]     = {"hairpin6", NFT_SET_INTERVAL | NFT_SET_CONCAT, PAIR(TYPE_IPV6, TYPE_IPV6), 32, .field_size = 16},
    [SET_PUBLISH4]     = {"publish4", NFT_SET_MAP, PAIR(PAIR(TYPE_PROTOCOL, TYPE_IPV4), TYPE_PORT), 12, PAIR(TYPE_IPV4, TYPE_PORT), 8},
    [SET_PUBLISH6]     = {"publish6", NFT_SET_MAP, PAIR(PAIR(TYPE_PROTOCOL, TYPE_IPV6), TYPE_PORT), 24, PAIR(TYPE_IPV6, TYPE_PORT), 20},
    [SET_PUBLISH4_ANY] = {"publish4_any", NFT_SET_MAP, PAIR(TYPE_PROTOCOL, TYPE_PORT), 8, PAIR(TYPE_IPV4, TYPE_PORT), 8},
    [SET_PUBLISH6_ANY] = {"publish6_any", NFT_SET_MAP, PAIR(TYPE_PROTOCOL, TYPE_PORT), 8, PAIR(TYPE_IPV6, TYPE_PORT), 20},
};
// clang-format on
static_assert(ARRAY_LEN(sets) == SET_COUNT, "a row each");

const char *ruleset_set_name(enum ruleset_set set) {
    return sets[set].name;
}

uint32_t ruleset_key_size(enum ruleset_set set) {
    return sets[set].key_size;
}

uint32_t ruleset_data_size(enum ruleset_set set) {
    return sets[set].data_size;
}

// --- chains ---

enum chain { CHAIN_PUBLISH, CHAIN_EARLY, CHAIN_PREROUTING, CHAIN_OUTPUT, CHAIN_POSTROUTING, CHAIN_FORWARD, CHAIN_COUNT };

// Priorities are the usual ones (nft(8), "CHAINS"): raw, dstnat, srcnat, filter.
static const struct {
    const char *name;
    const char *type; // NULL: no hook of its own
    uint32_t hook;
    int32_t priority;
} chains[] = {
    [CHAIN_PUBLISH] = {"publish", NULL, 0, 0},
    [CHAIN_EARLY] = {"early", "filter", NFT_PREROUTING, -300},
    [CHAIN_PREROUTING] = {"prerouting", "nat", NFT_PREROUTING, -100},
    [CHAIN_OUTPUT] = {"output", "nat", NFT_OUTPUT, -100},
    [CHAIN_POSTROUTING] = {"postrouting", "nat", NFT_POSTROUTING, 100},
    [CHAIN_FORWARD] = {"forward", "filter", NFT_FORWARD, 0},
};
static_assert(ARRAY_LEN(chains) == CHAIN_COUNT, "a row each");

// --- rules ---

enum step_kind {
    STEP_END,
    STEP_IPV4, // of this family
    STEP_IPV6,
    STEP_FROM_TRUNK,    // was sent to a trunk itself, by its hardware address (runtime/net/trunk.h)
    STEP_FROM_SET,      // came in by an interface of the set
    STEP_TO_SET,        // goes out by one
    STEP_NOT_TO_SET,    // goes out by another one
    STEP_WITHIN,        // came in by and goes out by the same bridge of ours
    STEP_SENDER_IN_SET, // of masquerade4 or masquerade6
    STEP_HAIRPIN,       // sender and receiver are of the same network
    STEP_SENDER_LOOPBACK4,
    STEP_TO_LOOPBACK4,
    STEP_NOT_TO_LOOPBACK4,
    STEP_SENDER_NOT_LOOPBACK6,
    STEP_TO_HOST,   // an address of this host
    STEP_PUBLISHED, // was turned to another receiver
    STEP_ANSWER,    // of a connection that was there before, or an error message about one
    STEP_DNAT,      // by the map
    STEP_JUMP,      // to chain publish
    STEP_MASQUERADE,
    STEP_ACCEPT,
    STEP_DROP,
};

enum { MOST_STEPS = 6 };

struct step {
    enum step_kind kind;
    enum ruleset_set set;
};

// clang-format off
static const struct rule {
    enum chain chain;
    struct step steps[MOST_STEPS];
} rules[] = {
    {CHAIN_EARLY, {{STEP_FROM_TRUNK}, {STEP_DROP}}},
    {CHAIN_EARLY, {{STEP_FROM_SET, SET_BRIDGES}, {STEP_IPV4}, {STEP_TO_LOOPBACK4}, {STEP_DROP}}},
    // A neighbour of the host could address 127.0.0.1 on the wire, and reach what is published for the host alone.
    {CHAIN_PREROUTING, {{STEP_IPV4}, {STEP_NOT_TO_LOOPBACK4}, {STEP_TO_HOST}, {STEP_JUMP}}},
    {CHAIN_PREROUTING, {{STEP_IPV6}, {STEP_TO_HOST}, {STEP_JUMP}}},
    {CHAIN_OUTPUT, {{STEP_IPV4}, {STEP_TO_HOST}, {STEP_JUMP}}},
    // What has ::1 as its sender cannot leave the host (no kernel turns it): refused at once, a client goes on to 127.0.0.1.
    {CHAIN_OUTPUT, {{STEP_IPV6}, {STEP_SENDER_NOT_LOOPBACK6}, {STEP_TO_HOST}, {STEP_JUMP}}},
    {CHAIN_PUBLISH, {{STEP_IPV4}, {STEP_DNAT, SET_PUBLISH4}}},
    {CHAIN_PUBLISH, {{STEP_IPV4}, {STEP_DNAT, SET_PUBLISH4_ANY}}},
    {CHAIN_PUBLISH, {{STEP_IPV6}, {STEP_DNAT, SET_PUBLISH6}}},
    {CHAIN_PUBLISH, {{STEP_IPV6}, {STEP_DNAT, SET_PUBLISH6_ANY}}},
    // Not by the interface that it came in by: where bridged packets meet these rules too (br_netfilter) it is not known here.
    {CHAIN_POSTROUTING, {{STEP_TO_SET, SET_BRIDGES}, {STEP_PUBLISHED}, {STEP_IPV4}, {STEP_HAIRPIN, SET_HAIRPIN4}, {STEP_MASQUERADE}}},
    {CHAIN_POSTROUTING, {{STEP_TO_SET, SET_BRIDGES}, {STEP_PUBLISHED}, {STEP_IPV6}, {STEP_HAIRPIN, SET_HAIRPIN6}, {STEP_MASQUERADE}}},
    {CHAIN_POSTROUTING, {{STEP_TO_SET, SET_BRIDGES}, {STEP_IPV4}, {STEP_SENDER_LOOPBACK4}, {STEP_MASQUERADE}}},
    {CHAIN_POSTROUTING, {{STEP_IPV4}, {STEP_SENDER_IN_SET, SET_MASQUERADE4}, {STEP_NOT_TO_SET, SET_BRIDGES}, {STEP_MASQUERADE}}},
    {CHAIN_POSTROUTING, {{STEP_IPV6}, {STEP_SENDER_IN_SET, SET_MASQUERADE6}, {STEP_NOT_TO_SET, SET_BRIDGES}, {STEP_MASQUERADE}}},
    {CHAIN_FORWARD, {{STEP_WITHIN, SET_WITHIN}, {STEP_ACCEPT}}},
    {CHAIN_FORWARD, {{STEP_FROM_SET, SET_INTERNAL}, {STEP_DROP}}},
    {CHAIN_FORWARD, {{STEP_TO_SET, SET_INTERNAL}, {STEP_DROP}}},
    {CHAIN_FORWARD, {{STEP_TO_SET, SET_BRIDGES}, {STEP_ANSWER}, {STEP_ACCEPT}}},
    {CHAIN_FORWARD, {{STEP_TO_SET, SET_BRIDGES}, {STEP_PUBLISHED}, {STEP_ACCEPT}}},
    {CHAIN_FORWARD, {{STEP_TO_SET, SET_BRIDGES}, {STEP_DROP}}},
};
// clang-format on

enum { R0 = NFT_FIRST_REGISTER, R1, R2, R4 = R0 + 4, R5 };
enum {
    IPV4_SOURCE = 12,
    IPV4_DESTINATION = 16,
    IPV6_SOURCE = 8,
    IPV6_DESTINATION = 24,
    PORT_DESTINATION = 2
}; // offsets in headers

static void add_interface(struct buf *batch, uint32_t key, const char *set, bool in) {
    nft_load_meta(batch, key, R0);
    nft_look_up(batch, set, R0, in);
}

static void add_from_trunk(struct buf *batch) {
    nft_load_meta(batch, NFT_META_IIFNAME, R0);
    nft_compare(batch, R0, true, TRUNK_PREFIX, sizeof(TRUNK_PREFIX) - 1);
}

static void add_family(struct buf *batch, uint8_t family) {
    nft_load_meta(batch, NFT_META_NFPROTO, R0);
    nft_compare(batch, R0, true, &family, sizeof(family));
}

// All of 127.0.0.0/8 by its first byte.
static void add_loopback4(struct buf *batch, uint32_t offset, bool is) {
    const uint8_t loopback = 127;
    nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offset, sizeof(loopback), R0);
    nft_compare(batch, R0, is, &loopback, sizeof(loopback));
}

static void add_sender_not_loopback6(struct buf *batch) {
    static const uint8_t loopback[16] = {[15] = 1};
    nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, IPV6_SOURCE, sizeof(loopback), R0);
    nft_compare(batch, R0, false, loopback, sizeof(loopback));
}

static void add_sender(struct buf *batch, enum ruleset_set set) {
    bool old = set == SET_MASQUERADE4;
    nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, old ? IPV4_SOURCE : IPV6_SOURCE, old ? 4 : 16, R0);
    nft_look_up(batch, sets[set].name, R0, true);
}

static void add_conntrack(struct buf *batch, uint32_t key, uint32_t bits) {
    const uint32_t none = 0;
    nft_load_ct(batch, key, R0);
    nft_mask(batch, R0, bits);
    nft_compare(batch, R0, false, &none, sizeof(none));
}

// The key: protocol, and the host's address where the map has it, and its port; each field begins a register. What it maps to
// begins where the key began.
static void add_dnat(struct buf *batch, enum ruleset_set set) {
    bool old = set == SET_PUBLISH4 || set == SET_PUBLISH4_ANY, any = set == SET_PUBLISH4_ANY || set == SET_PUBLISH6_ANY;
    nft_load_meta(batch, NFT_META_L4PROTO, R0);
    if (!any) {
        nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, old ? IPV4_DESTINATION : IPV6_DESTINATION, old ? 4 : 16, R1);
    }
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, 2, any ? R1 : old ? R2 : R5);
    nft_map(batch, sets[set].name, R0);
    nft_destination_nat(batch, old ? NFT_IPV4 : NFT_IPV6, R0, old ? R1 : R4);
}

static void add_local(struct buf *batch) {
    const uint32_t local = RTN_LOCAL;
    nft_load_destination_type(batch, R0);
    nft_compare(batch, R0, true, &local, sizeof(local));
}

static void add_within(struct buf *batch, enum ruleset_set set) {
    nft_load_meta(batch, NFT_META_IIFNAME, R0);
    nft_load_meta(batch, NFT_META_OIFNAME, R4);
    nft_look_up(batch, sets[set].name, R0, true);
}

static void add_hairpin(struct buf *batch, enum ruleset_set set) {
    bool old = set == SET_HAIRPIN4;
    nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, old ? IPV4_SOURCE : IPV6_SOURCE, old ? 4 : 16, R0);
    nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, old ? IPV4_DESTINATION : IPV6_DESTINATION, old ? 4 : 16, old ? R1 : R4);
    nft_look_up(batch, sets[set].name, R0, true);
}

static void add_step(struct buf *batch, const struct step *step) {
    const char *set = sets[step->set].name;
    switch (step->kind) {
    case STEP_END:
        break;
    case STEP_IPV4:
        add_family(batch, NFT_IPV4);
        break;
    case STEP_IPV6:
        add_family(batch, NFT_IPV6);
        break;
    case STEP_FROM_TRUNK:
        add_from_trunk(batch);
        break;
    case STEP_FROM_SET:
        add_interface(batch, NFT_META_IIFNAME, set, true);
        break;
    case STEP_TO_SET:
        add_interface(batch, NFT_META_OIFNAME, set, true);
        break;
    case STEP_NOT_TO_SET:
        add_interface(batch, NFT_META_OIFNAME, set, false);
        break;
    case STEP_WITHIN:
        add_within(batch, step->set);
        break;
    case STEP_SENDER_IN_SET:
        add_sender(batch, step->set);
        break;
    case STEP_SENDER_LOOPBACK4:
        add_loopback4(batch, IPV4_SOURCE, true);
        break;
    case STEP_HAIRPIN:
        add_hairpin(batch, step->set);
        break;
    case STEP_TO_LOOPBACK4:
        add_loopback4(batch, IPV4_DESTINATION, true);
        break;
    case STEP_NOT_TO_LOOPBACK4:
        add_loopback4(batch, IPV4_DESTINATION, false);
        break;
    case STEP_SENDER_NOT_LOOPBACK6:
        add_sender_not_loopback6(batch);
        break;
    case STEP_TO_HOST:
        add_local(batch);
        break;
    case STEP_PUBLISHED:
        add_conntrack(batch, NFT_CT_STATUS, IPS_DST_NAT);
        break;
    case STEP_ANSWER:
        add_conntrack(batch, NFT_CT_STATE, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
        break;
    case STEP_DNAT:
        add_dnat(batch, step->set);
        break;
    case STEP_JUMP:
        nft_verdict(batch, NFT_JUMP, chains[CHAIN_PUBLISH].name);
        break;
    case STEP_MASQUERADE:
        nft_masquerade(batch);
        break;
    case STEP_ACCEPT:
        nft_verdict(batch, NFT_ACCEPT, NULL);
        break;
    case STEP_DROP:
        nft_verdict(batch, NFT_DROP, NULL);
        break;
    }
}

// --- all of it ---

static void add_table(struct nft_batch *batch) {
    char comment[2 + sizeof(version)] = {0, sizeof(version)}; // as nft(8) keeps one: type, size, text
    memcpy(comment + 2, version, sizeof(version));
    nft_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    netlink_add_be32(&batch->messages, NFTA_TABLE_FLAGS, 0);
    netlink_add(&batch->messages, NFTA_TABLE_USERDATA, comment, sizeof(comment));
}

// Intervals of each field have to be told apart.
static void add_fields(struct buf *batch, uint32_t size) {
    size_t description = netlink_nest(batch, NFTA_SET_DESC);
    size_t fields = netlink_nest(batch, NFTA_SET_DESC_CONCAT);
    for (int i = 0; i < 2; i++) {
        size_t field = netlink_nest(batch, NFTA_LIST_ELEM);
        netlink_add_be32(batch, NFTA_SET_FIELD_LEN, size);
        netlink_nest_end(batch, field);
    }
    netlink_nest_end(batch, fields);
    netlink_nest_end(batch, description);
}

static void add_set(struct nft_batch *batch, enum ruleset_set set) {
    static const uint8_t host_order[] = {0, 4, 1,
                                         0, 0, 0}; // nft's note on a set: the order of the key's bytes; 4 bytes; the host's
    nft_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
    netlink_add_string(&batch->messages, NFTA_SET_NAME, sets[set].name);
    netlink_add_be32(&batch->messages, NFTA_SET_FLAGS, sets[set].flags);
    netlink_add_be32(&batch->messages, NFTA_SET_KEY_TYPE, sets[set].key_type);
    netlink_add_be32(&batch->messages, NFTA_SET_KEY_LEN, sets[set].key_size);
    if (sets[set].flags & NFT_SET_MAP) {
        netlink_add_be32(&batch->messages, NFTA_SET_DATA_TYPE, sets[set].data_type);
        netlink_add_be32(&batch->messages, NFTA_SET_DATA_LEN, sets[set].data_size);
    }
    if (sets[set].field_size) {
        add_fields(&batch->messages, sets[set].field_size);
    }
    if (sets[set].key_type == TYPE_INTERFACE) {
        netlink_add(&batch->messages, NFTA_SET_USERDATA, host_order, sizeof(host_order));
    }
    netlink_add_be32(&batch->messages, NFTA_SET_ID, (uint32_t)set + 1);
}

// There with its rules gone, if it was there.
static void add_chain(struct nft_batch *batch, enum chain chain) {
    nft_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    netlink_add_string(&batch->messages, NFTA_CHAIN_NAME, chains[chain].name);
    if (chains[chain].type) {
        netlink_add_string(&batch->messages, NFTA_CHAIN_TYPE, chains[chain].type);
        size_t hook = netlink_nest(&batch->messages, NFTA_CHAIN_HOOK);
        netlink_add_be32(&batch->messages, NFTA_HOOK_HOOKNUM, chains[chain].hook);
        netlink_add_be32(&batch->messages, NFTA_HOOK_PRIORITY, (uint32_t)chains[chain].priority);
        netlink_nest_end(&batch->messages, hook);
        netlink_add_be32(&batch->messages, NFTA_CHAIN_POLICY, NFT_ACCEPT);
    }
    nft_message(batch, NFT_MSG_DELRULE, 0);
    netlink_add_string(&batch->messages, NFTA_RULE_CHAIN, chains[chain].name);
}

static void add_rule(struct nft_batch *batch, const struct rule *rule) {
    nft_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    netlink_add_string(&batch->messages, NFTA_RULE_CHAIN, chains[rule->chain].name);
    size_t expressions = netlink_nest(&batch->messages, NFTA_RULE_EXPRESSIONS);
    for (size_t i = 0; i < MOST_STEPS && rule->steps[i].kind != STEP_END; i++) {
        add_step(&batch->messages, &rule->steps[i]);
    }
    netlink_nest_end(&batch->messages, expressions);
}

void ruleset_add(struct nft_batch *batch) {
    add_table(batch);
    for (size_t i = 0; i < SET_COUNT; i++) {
        add_set(batch, i);
    }
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        add_chain(batch, i);
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        add_rule(batch, &rules[i]);
    }
}

// --- is it whole? ---

enum { FIRST_CHAIN = 2 }; // the number of the question for it: that for the table is 1

struct look {
    bool present, other_version;
    size_t whole; // chains
};

// Rules, and a jump to it counts as one.
static uint32_t uses_of(size_t chain) {
    uint32_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        count += rules[i].chain == chain;
        for (size_t j = 0; j < MOST_STEPS; j++) {
            count += chain == CHAIN_PUBLISH && rules[i].steps[j].kind == STEP_JUMP;
        }
    }
    return count;
}

static int take_part(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct look *look = context;
    struct netlink_bytes attributes = nft_attributes(message);
    if (nft_type(message) == NFT_MSG_NEWTABLE) {
        struct netlink_bytes comment = netlink_find(attributes, NFTA_TABLE_USERDATA, 2);
        look->present = true;
        look->other_version =
            comment.size != 2 + sizeof(version) || memcmp((const char *)comment.data + 2, version, sizeof(version)) != 0;
        look->whole += netlink_find_be32(attributes, NFTA_TABLE_USE, 0) == (uint32_t)SET_COUNT + CHAIN_COUNT;
    } else if (nft_type(message) == NFT_MSG_NEWCHAIN && message->nlmsg_seq >= FIRST_CHAIN && message->nlmsg_seq < FIRST_CHAIN + CHAIN_COUNT) {
        look->whole += netlink_find_be32(attributes, NFTA_CHAIN_USE, 0) == uses_of(message->nlmsg_seq - FIRST_CHAIN);
    }
    return 0;
}

int ruleset_look(int fd, enum ruleset_state *ret_state, struct err *err) {
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct look look = {0};
    struct netlink_failure failure = {0};
    nft_message(&batch, NFT_MSG_GETTABLE, 0);
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        nft_message(&batch, NFT_MSG_GETCHAIN, 0);
        netlink_add_string(&batch.messages, NFTA_CHAIN_NAME, chains[i].name);
    }
    if (nft_ask(fd, &batch, take_part, &look, &failure, err) < 0) {
        return -1;
    }
    if (failure.errnum && failure.errnum != ENOENT) {
        return nft_complain(failure.errnum, "look at the packet filter", err);
    }
    bool whole = look.whole == CHAIN_COUNT + 1;
    *ret_state = !look.present        ? RULESET_ABSENT
                 : look.other_version ? RULESET_OTHER_VERSION
                 : whole              ? RULESET_WHOLE
                                      : RULESET_DAMAGED;
    return 0;
}
