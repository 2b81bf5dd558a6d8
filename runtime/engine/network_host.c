#include "runtime/engine/network_host.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/home.h"
#include "runtime/net/bridge.h"
#include "runtime/net/firewall.h"
#include "runtime/net/foreign_filter.h"
#include "runtime/net/sysctl.h"

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

static int raise_all(const struct network *network, bool ports, struct err *err) {
    char name[IF_NAMESIZE];
    AUTO_FD int firewall_fd = firewall_open(err);
    network_bridge_name(network, name);
    struct subnet subnets[NETWORK_FAMILIES];
    struct link_address gateways[NETWORK_FAMILIES];
    struct sysctl_changes changes;
    bool fresh;
    int index;
    size_t count = network_planes(network, subnets, gateways);
    const struct bridge_request bridge = {.name = name, .addresses = gateways, .address_count = count, .mtu = network_mtu(network)};
    const struct firewall_network rules = {
        .bridge = name, .subnets = subnets, .subnet_count = count, .masquerade = !network->internal, .internal = network->internal};
    if (firewall_fd < 0 || firewall_ensure(firewall_fd, &fresh, err) < 0 || firewall_network_add(firewall_fd, &rules, err) < 0 ||
        bridge_ensure(&bridge, &index, err) < 0) {
        return -1;
    }
    pass_foreign_filters(firewall_fd, name);
    if (!network->internal && sysctl_forward(network->ipv4.set, network->ipv6.set, &changes, err) < 0) {
        return -1;
    }
    return ports && network->ipv4.set ? sysctl_route_localnet(name, err) : 0;
}

// Where the host cannot have a network, its user learns what goes without one.
int network_raise(const struct home *home, const struct network *network, bool ports, struct err *err) {
    (void)home;
    if (raise_all(network, ports, err) == 0) {
        return 0;
    }
    struct err why = *err;
    return why.kind == ERR_UNSUPPORTED
               ? err_set(err, ERR_UNSUPPORTED, "network %s: %s; --network none and host do without", network->name, why.text)
               : err_in(err, "network %s", network->name);
}
