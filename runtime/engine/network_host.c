#include "runtime/engine/network_host.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/network_crowd.h"
#include "runtime/net/bridge.h"
#include "runtime/net/firewall.h"
#include "runtime/net/foreign_filter.h"
#include "runtime/net/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t network_planes(const struct network *network, struct subnet subnets[NETWORK_FAMILIES],
                      struct link_address gateways[NETWORK_FAMILIES]) {
    const struct network_subnet *both[NETWORK_FAMILIES] = {&network->ipv4, &network->ipv6};
    size_t count = 0;
    for (int i = 0; i < NETWORK_FAMILIES; i++) {
        if (both[i]->set) {
            subnets[count] = both[i]->subnet;
            gateways[count++] = (struct link_address){.address = both[i]->gateway, .prefix = both[i]->subnet.prefix};
        }
    }
    return count;
}

// What other programs' chains would drop of it (docker's FORWARD, ufw, firewalld). The network works without, where nothing drops.
static void pass_foreign_filters(int firewall_fd, const char *bridge) {
    static const char ours[] = "cof-";
    struct err err;
    if (foreign_filter_pass(firewall_fd, strncmp(bridge, ours, sizeof(ours) - 1) == 0 ? ours : bridge, &err) < 0) {
        log_warn("%s", err.text);
    }
}

struct parts {
    char name[IF_NAMESIZE], note[LINK_NOTE_SIZE];
    struct subnet subnets[NETWORK_FAMILIES];
    struct link_address gateways[NETWORK_FAMILIES];
    struct bridge_request bridge;
    struct firewall_network rules;
};

static void describe(const struct network *network, struct parts *ret) {
    size_t count = network_planes(network, ret->subnets, ret->gateways);
    network_bridge_name(network, ret->name);
    snprintf(ret->note, sizeof(ret->note), "coffer network %.64s", network->id);
    ret->bridge = (struct bridge_request){
        .name = ret->name, .addresses = ret->gateways, .address_count = count, .mtu = network_mtu(network), .note = ret->note};
    ret->rules = (struct firewall_network){.bridge = ret->name,
                                           .subnets = ret->subnets,
                                           .subnet_count = count,
                                           .masquerade = !network->internal,
                                           .internal = network->internal};
}

static int make_all(const struct network *network, bool ports, struct network_losses *losses, struct err *err) {
    struct parts parts;
    struct sysctl_changes changes;
    int index;
    describe(network, &parts);
    AUTO_FD int firewall_fd = firewall_open(err);
    if (firewall_fd < 0 || firewall_ensure(firewall_fd, &losses->firewall, err) < 0 ||
        firewall_network_add(firewall_fd, &parts.rules, err) < 0 ||
        bridge_ensure(&parts.bridge, &index, &losses->bridge, err) < 0) {
        return -1;
    }
    pass_foreign_filters(firewall_fd, parts.name);
    if (!network->internal && sysctl_forward(network->ipv4.set, network->ipv6.set, &changes, err) < 0) {
        return -1;
    }
    return ports && network->ipv4.set && !network->internal ? sysctl_route_localnet(parts.name, err) : 0;
}

// Where the host cannot have a network, its user learns what goes without one.
int network_make(const struct network *network, bool ports, struct network_losses *ret_losses, struct err *err) {
    *ret_losses = (struct network_losses){0};
    if (make_all(network, ports, ret_losses, err) == 0) {
        return 0;
    }
    struct err why = *err;
    bool cannot = why.kind == ERR_UNSUPPORTED || why.errnum == EROFS || why.errnum == EACCES; // of /proc/sys, in a container
    return cannot ? err_set(err, ERR_UNSUPPORTED, "network %s: %s; --network none and host do without", network->name, why.text)
                  : err_in(err, "network %s", network->name);
}

int network_lower(const struct network *network, struct err *err) {
    struct parts parts;
    struct err none;
    describe(network, &parts);
    AUTO_FD int firewall_fd = firewall_open(&none);
    // A host that cannot have networks has nothing of this one.
    if (firewall_fd >= 0 && firewall_network_remove(firewall_fd, &parts.rules, &none) < 0 && none.kind != ERR_UNSUPPORTED) {
        *err = none;
        return -1;
    }
    return network_trunks_remove(network, err) < 0 ? -1 : bridge_remove(parts.name, parts.note, err);
}
