#include "runtime/net/firewall.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/net/elements.h"
#include "runtime/net/nft.h"
#include "runtime/net/ruleset.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

// What somebody else changes between a look and a change is looked at again, so often.
enum { ATTEMPTS = 10 };

// --- the table ---

int firewall_open(struct err *err) {
    return nft_open(err);
}

// An empty chain more than a whole table has, as long as not all is told.
static void mark(struct nft_batch *batch, uint16_t type, uint16_t flags) {
    nft_message(batch, type, flags);
    netlink_add_string(&batch->messages, NFTA_CHAIN_NAME, "untold");
}

static int make(int fd, bool first_remove, struct err *err) {
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    if (first_remove) {
        nft_message(&batch, NFT_MSG_DELTABLE, 0);
    }
    ruleset_add(&batch);
    mark(&batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    if (failure.errnum == ENOENT) {
        return err_set(err, ERR_UNSUPPORTED,
                       "set the packet filter up: this kernel's nf_tables lacks a part that networks need (nat, masq, fib, "
                       "ct)");
    }
    return failure.errnum ? nft_complain(failure.errnum, "set the packet filter up", err) : 0;
}

int firewall_ensure(int fd, bool *ret_fresh, struct err *err) {
    enum ruleset_state state;
    if (ruleset_look(fd, &state, err) < 0 || (state != RULESET_WHOLE && make(fd, state == RULESET_OTHER_VERSION, err) < 0)) {
        return -1;
    }
    *ret_fresh = state != RULESET_WHOLE;
    return 0;
}

int firewall_settle(int fd, struct err *err) {
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    mark(&batch, NFT_MSG_DELCHAIN, 0);
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    bool done = failure.errnum == 0 || failure.errnum == ENOENT;
    return done ? 0 : nft_complain(failure.errnum, "finish the packet filter", err);
}

int firewall_remove(int fd, struct err *err) {
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    nft_message(&batch, NFT_MSG_DELTABLE, 0);
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum && failure.errnum != ENOENT ? nft_complain(failure.errnum, "remove the packet filter's table", err) : 0;
}

// --- networks ---

static void add_network(struct elements *elements, const struct firewall_network *network) {
    elements_add_bridge(elements, network->bridge, network->internal);
    elements_add_subnets(elements, network->subnets, network->subnet_count, network->masquerade && !network->internal);
}

static int complain_of_network(const struct firewall_network *network, int errnum, const char *what, struct err *err) {
    if (errnum == ENOENT) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s: the packet filter's table \"inet coffer\" is gone; it is made anew by the next command", what);
    }
    if (errnum == EEXIST || errnum == EBUSY || errnum == ENOTEMPTY) {
        return err_set(err, ERR_EXISTS, "%s: a subnet of \"%s\" overlaps one of another network", what, network->bridge);
    }
    return nft_complain(errnum, what, err);
}

int firewall_network_add(int fd, const struct firewall_network *network, struct err *err) {
    AUTO_ELEMENTS struct elements elements = {0};
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    add_network(&elements, network);
    elements_put(&batch, &elements, NFT_MSG_NEWSETELEM, NULL);
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum ? complain_of_network(network, failure.errnum, "let a network through the packet filter", err) : 0;
}

// Added first, and so surely there: what is missing would make the removal of all others fail.
int firewall_network_remove(int fd, const struct firewall_network *network, struct err *err) {
    AUTO_ELEMENTS struct elements elements = {0};
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    add_network(&elements, network);
    elements_put(&batch, &elements, NFT_MSG_NEWSETELEM, NULL);
    elements_put(&batch, &elements, NFT_MSG_DELSETELEM, NULL);
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    bool done = failure.errnum == 0 || failure.errnum == ENOENT; // no table, no network
    return done ? 0 : complain_of_network(network, failure.errnum, "take a network out of the packet filter", err);
}

// --- ports ---

static unsigned count_of(const struct firewall_port *port) {
    return port->count ? port->count : 1;
}

static int complain_of_port(const struct firewall_published *there, struct err *err) {
    char host[ADDRESS_TEXT_SIZE];
    address_format(&there->port.host, host);
    bool ipv6 = there->port.host.family == AF_INET6;
    return err_set(err, ERR_EXISTS, "publish port %s%s%s%s%u/%s: it is published for container %s already", ipv6 ? "[" : "", host,
                   ipv6 ? "]" : "", host[0] ? ":" : "", there->port.host_port, elements_protocol_name(there->port.protocol),
                   there->owner[0] ? there->owner : "(not told)");
}

// The port that is at fault is found by looking for one that is there and leads elsewhere.
static int complain_of_taken(int fd, const struct firewall_port *ports, size_t count, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct firewall_state state;
    if (firewall_read(fd, &arena, &state, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count * state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i % state.port_count];
        const struct firewall_port *port = &ports[i / state.port_count];
        unsigned nth = (unsigned)there->port.host_port - port->host_port;
        if (there->port.protocol == port->protocol && there->port.target.family == port->target.family && nth < count_of(port) &&
            address_is_equal(&there->port.host, &port->host) &&
            (!address_is_equal(&there->port.target, &port->target) || there->port.target_port != port->target_port + nth)) {
            return complain_of_port(there, err);
        }
    }
    return err_set(err, ERR_EXISTS, "publish ports: one of them is published for another container already");
}

int firewall_publish(int fd, const struct firewall_port *ports, size_t count, const char *owner, struct err *err) {
    AUTO_ELEMENTS struct elements elements = {0};
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    assert(strlen(owner) < FIREWALL_OWNER_SIZE);
    for (size_t i = 0; i < count; i++) {
        elements_add_port(&elements, &ports[i]);
    }
    elements_put(&batch, &elements, NFT_MSG_NEWSETELEM, owner);
    if (count == 0) {
        return 0;
    }
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    if (failure.errnum == EBUSY || failure.errnum == EEXIST) {
        return complain_of_taken(fd, ports, count, err);
    }
    if (failure.errnum == ENOENT) {
        return err_set(err, ERR_NOT_FOUND,
                       "publish ports: the packet filter's table \"inet coffer\" is gone; it is made anew by the next "
                       "command");
    }
    return failure.errnum ? nft_complain(failure.errnum, "publish ports", err) : 0;
}

// Adding is refused where the port leads elsewhere, and makes sure that it is there otherwise; then it can be removed. All in one,
// so that nobody can come between.
static int unpublish(int fd, const struct firewall_port *ports, size_t count, int *ret_errnum, struct err *err) {
    AUTO_ELEMENTS struct elements elements = {0};
    AUTO_NFT_BATCH struct nft_batch batch = NFT_BATCH;
    struct netlink_failure failure = {0};
    for (size_t i = 0; i < count; i++) {
        elements_add_port(&elements, &ports[i]);
    }
    elements_put(&batch, &elements, NFT_MSG_NEWSETELEM, NULL);
    elements_put(&batch, &elements, NFT_MSG_DELSETELEM, NULL);
    if (nft_commit(fd, &batch, &failure, err) < 0) {
        return -1;
    }
    *ret_errnum = failure.errnum;
    return 0;
}

static bool leads_there(const struct firewall_published *there, const struct firewall_port *port) {
    unsigned nth = (unsigned)there->port.host_port - port->host_port;
    return there->port.protocol == port->protocol && nth < count_of(port) && there->port.target_port == port->target_port + nth &&
           address_is_equal(&there->port.host, &port->host) && address_is_equal(&there->port.target, &port->target);
}

// Of what is there, what leads where it is said to.
static struct firewall_port *choose(struct arena *arena, const struct firewall_state *state, const struct firewall_port *ports,
                                    size_t count, size_t *ret_count) {
    struct firewall_port *chosen = arena_array(arena, state->port_count + 1, sizeof(*chosen));
    *ret_count = 0;
    for (size_t i = 0; i < state->port_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (leads_there(&state->ports[i], &ports[j])) {
                chosen[(*ret_count)++] = state->ports[i].port;
                break;
            }
        }
    }
    return chosen;
}

int firewall_unpublish(int fd, const struct firewall_port *ports, size_t count, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    int errnum = 0;
    for (int i = 0; i < ATTEMPTS && count > 0; i++) {
        struct firewall_state state;
        if (unpublish(fd, ports, count, &errnum, err) < 0) {
            return -1;
        }
        if (errnum == 0 || errnum == ENOENT) {
            return 0;
        }
        if (errnum != EBUSY && errnum != EEXIST) {
            break;
        }
        if (firewall_read(fd, &arena, &state, err) < 0) {
            return -1;
        }
        ports = choose(&arena, &state, ports, count, &count);
    }
    return errnum && count > 0 ? nft_complain(errnum, "take published ports back", err) : 0;
}
