#include "runtime/net/foreign_filter.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/net/nft.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

// iptables' own register, which its oldest versions expect.
enum { REGISTER = NFT_REG_1, ATTEMPTS = 10, MOST_PREFIX = 12 };

// In this order: of a family's DOCKER-USER and FORWARD the first that there is. The second only matters when its policy is to drop.
static const struct chain {
    uint8_t family;
    const char *table, *name;
    bool if_policy_drops;
} chains[] = {
    {NFT_IPV4, "filter", "DOCKER-USER", false},       {NFT_IPV4, "filter", "FORWARD", true},
    {NFT_IPV6, "filter", "DOCKER-USER", false},       {NFT_IPV6, "filter", "FORWARD", true},
    {NFT_INET, "firewalld", "filter_FORWARD", false},
};

static const uint32_t directions[] = {NFT_META_IIFNAME, NFT_META_OIFNAME};

struct look {
    bool matters[ARRAY_LEN(chains)];
    const struct chain *chain; // whose rules are listed
    const char *prefix;
    uint64_t handles[ARRAY_LEN(directions)]; // of the rules that are there, in network order; 0: not there
};

static int take_chain(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct look *look = context;
    size_t at = message->nlmsg_seq - 1u; // they are asked for in order, from 1 on
    if (nft_type(message) == NFT_MSG_NEWCHAIN && at < ARRAY_LEN(chains)) {
        uint32_t policy = netlink_find_be32(nft_attributes(message), NFTA_CHAIN_POLICY, NFT_ACCEPT);
        look->matters[at] = !chains[at].if_policy_drops || policy == NFT_DROP;
    }
    return 0;
}

// Each by itself: one that is not there is no reason not to tell of the next.
static int look_for_chains(int fd, struct look *look, struct err *err) {
    AUTO_NFT_BATCH struct nft_batch batch = {0};
    struct netlink_failure failure = {0};
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        batch.family = chains[i].family;
        batch.table = chains[i].table;
        nft_message(&batch, NFT_MSG_GETCHAIN, 0);
        netlink_add_string(&batch.messages, NFTA_CHAIN_NAME, chains[i].name);
    }
    if (nft_ask(fd, &batch, take_chain, look, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum && failure.errnum != ENOENT ? nft_complain(failure.errnum, "look at other programs' packet filters", err)
                                                      : 0;
}

// --- the rules of one ---

static bool is_named(struct netlink_bytes expression, const char *name) {
    const char *found = netlink_find_string(expression, NFTA_EXPR_NAME);
    return found && strcmp(found, name) == 0;
}

static bool is_accept(struct netlink_bytes data) {
    struct netlink_bytes verdict = netlink_find(netlink_find(data, NFTA_IMMEDIATE_DATA, 0), NFTA_DATA_VERDICT, 0);
    return netlink_find_be32(verdict, NFTA_VERDICT_CODE, NFT_DROP) == NFT_ACCEPT;
}

// Whether the rule is one of ours, and which: it loads an interface's name, compares its beginning, and accepts. A counter says
// nothing.
static bool is_ours(struct netlink_bytes rule, const char *prefix, size_t *ret_direction) {
    struct netlink_bytes run = netlink_find(rule, NFTA_RULE_EXPRESSIONS, 0), expression;
    bool compared = false, accepts = false;
    uint16_t type;
    *ret_direction = ARRAY_LEN(directions);
    while (netlink_next(&run, &type, &expression)) {
        struct netlink_bytes data = netlink_find(expression, NFTA_EXPR_DATA, 0);
        if (is_named(expression, "meta")) {
            uint32_t key = netlink_find_be32(data, NFTA_META_KEY, UINT32_MAX);
            *ret_direction = key == directions[0] ? 0 : key == directions[1] ? 1 : ARRAY_LEN(directions);
        } else if (is_named(expression, "cmp")) {
            struct netlink_bytes value = netlink_find(netlink_find(data, NFTA_CMP_DATA, 0), NFTA_DATA_VALUE, 0);
            compared = value.size == strlen(prefix) && memcmp(value.data, prefix, value.size) == 0 &&
                       netlink_find_be32(data, NFTA_CMP_OP, NFT_CMP_NEQ) == NFT_CMP_EQ;
        } else if (is_named(expression, "immediate")) {
            accepts = is_accept(data);
        } else if (!is_named(expression, "counter")) {
            return false;
        }
    }
    return *ret_direction < ARRAY_LEN(directions) && compared && accepts;
}

static int take_rule(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct look *look = context;
    struct netlink_bytes rule = nft_attributes(message), handle = netlink_find(rule, NFTA_RULE_HANDLE, sizeof(uint64_t));
    const char *chain = netlink_find_string(rule, NFTA_RULE_CHAIN), *table = netlink_find_string(rule, NFTA_RULE_TABLE);
    size_t direction;
    // A kernel before 4.13 lists other chains too.
    if (nft_type(message) == NFT_MSG_NEWRULE && handle.data && chain && table && strcmp(chain, look->chain->name) == 0 &&
        strcmp(table, look->chain->table) == 0 && nft_family(message) == look->chain->family &&
        is_ours(rule, look->prefix, &direction)) {
        memcpy(&look->handles[direction], handle.data, sizeof(uint64_t));
    }
    return 0;
}

static int look_for_rules(int fd, struct look *look, struct err *err) {
    struct netlink_failure failure = {.errnum = EINTR};
    for (int i = 0; i < ATTEMPTS && failure.errnum == EINTR; i++) {
        AUTO_NFT_BATCH struct nft_batch batch = {.family = look->chain->family, .table = look->chain->table};
        memset(look->handles, 0, sizeof(look->handles));
        nft_message(&batch, NFT_MSG_GETRULE, NLM_F_DUMP);
        netlink_add_string(&batch.messages, NFTA_RULE_CHAIN, look->chain->name);
        if (nft_ask(fd, &batch, take_rule, look, &failure, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void add_rule(struct nft_batch *batch, const struct look *look, size_t direction) {
    nft_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE); // in front of all
    netlink_add_string(&batch->messages, NFTA_RULE_CHAIN, look->chain->name);
    size_t expressions = netlink_nest(&batch->messages, NFTA_RULE_EXPRESSIONS);
    nft_load_meta(&batch->messages, directions[direction], REGISTER);
    nft_compare(&batch->messages, REGISTER, true, look->prefix, strlen(look->prefix));
    nft_count(&batch->messages);
    nft_verdict(&batch->messages, NFT_ACCEPT, NULL);
    netlink_nest_end(&batch->messages, expressions);
}

static void remove_rule(struct nft_batch *batch, const struct look *look, size_t direction) {
    nft_message(batch, NFT_MSG_DELRULE, 0);
    netlink_add_string(&batch->messages, NFTA_RULE_CHAIN, look->chain->name);
    netlink_add(&batch->messages, NFTA_RULE_HANDLE, &look->handles[direction], sizeof(look->handles[direction]));
}

static int change_chain(int fd, struct look *look, bool wanted, struct err *err) {
    AUTO_NFT_BATCH struct nft_batch batch = {.family = look->chain->family, .table = look->chain->table};
    struct netlink_failure failure = {0};
    if (look_for_rules(fd, look, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(directions); i++) {
        if (wanted && look->handles[i] == 0) {
            add_rule(&batch, look, i);
        } else if (!wanted && look->handles[i] != 0) {
            remove_rule(&batch, look, i);
        }
    }
    if (batch.count == 0) {
        return 0;
    }
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    // firewalld 2.1 and later owns its table: the kernel lets nobody else change it.
    if (failure.errnum == EPERM && wanted) {
        log_warn(
            "table %s refuses what containers' networks forward, and only its owner can change that; \"firewall-cmd --permanent "
            "--zone=trusted --add-interface=%s+\" and \"firewall-cmd --reload\" let it pass",
            look->chain->table, look->prefix);
        return 0;
    }
    if (failure.errnum && failure.errnum != ENOENT && failure.errnum != EPERM) {
        return err_num(err, failure.errnum, "change chain %s of table %s, which would drop containers' packets", look->chain->name,
                       look->chain->table);
    }
    return 0;
}

// Rules that were put where they no longer matter are taken back from there.
static int change(int fd, const char *prefix, bool wanted, struct err *err) {
    struct look look = {.prefix = prefix};
    assert(prefix[0] && strlen(prefix) <= MOST_PREFIX);
    if (look_for_chains(fd, &look, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        bool is_served = i > 0 && chains[i].if_policy_drops && look.matters[i - 1];
        look.chain = &chains[i];
        if (look.matters[i] && !(wanted && is_served) && change_chain(fd, &look, wanted, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int foreign_filter_pass(int fd, const char *prefix, struct err *err) {
    return change(fd, prefix, true, err);
}

int foreign_filter_stop(int fd, const char *prefix, struct err *err) {
    return change(fd, prefix, false, err);
}
