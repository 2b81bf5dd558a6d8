#include "runtime/engine/connection.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network_host.h"
#include "runtime/engine/network_names.h"
#include "runtime/engine/network_options.h"
#include "runtime/net/endpoint.h"

#include <string.h>

// --- before the container ---

static int take_addresses(struct connection *connection, int folder_fd, struct err *err) {
    struct address four, six;
    const struct attachment *wish = connection->wish;
    if ((wish->ip && address_parse("--ip", wish->ip, &four, err) < 0) ||
        (wish->ip6 && address_parse("--ip6", wish->ip6, &six, err) < 0)) {
        return -1;
    }
    const struct lease_wish lease = {connection->container, folder_fd, wish->ip ? &four : NULL, wish->ip6 ? &six : NULL};
    return lease_take(connection->home, &connection->network, &lease, &connection->lease, err);
}

int connection_take(struct connection *connection, struct arena *arena, struct err *err) {
    struct network *network = &connection->network;
    const char *name = connection->wish->network;
    if (network_find(connection->home, arena, strcmp(name, "default") == 0 ? "bridge" : name, network, err) < 0) {
        return -1;
    }
    if (network->driver != NETWORK_BRIDGE && network->driver != NETWORK_MACVLAN) {
        return err_set(err, ERR_UNSUPPORTED, "--network %s: expected a network of the driver bridge or macvlan", name);
    }
    if (connection->home->rootless && network->driver == NETWORK_MACVLAN) {
        return err_set(err, ERR_UNSUPPORTED, "--network %s: only root can put containers on an interface of the host (driver macvlan)", name);
    }
    // Held until there is a lease, which keeps the network from being removed.
    AUTO_FD int folder_fd = network_open(connection->home, network, err);
    if (folder_fd < 0) {
        return -1;
    }
    connection->taken = true;
    if (take_addresses(connection, folder_fd, err) < 0) {
        connection_release(connection);
        return -1;
    }
    connection->crowd = network_crowd_read(folder_fd);
    return 0;
}

int connection_publish_names(struct connection *connection, const struct network_names *own, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const struct attachment *wish = connection->wish;
    const char **names = arena_array(&arena, own->count + wish->aliases_count + 1, sizeof(*names));
    struct network_names all = *own;
    for (all.count = 0; all.count < own->count; all.count++) {
        names[all.count] = own->names[all.count];
    }
    for (size_t i = 0; i < wish->aliases_count; i++) {
        names[all.count++] = wish->aliases[i];
    }
    all.names = names;
    connection->named = network_has_names(&connection->network);
    if (network_names_publish(connection->home, &connection->network, &connection->lease, &all, err) == 0) {
        return 0;
    }
    // A host whose own name server listens on all its addresses has the default network without names, and docker's has none ever.
    // Who makes a network is told what to do.
    if (err->kind != ERR_STATE || !network_is_predefined(&connection->network)) {
        return -1;
    }
    log_info("%s", err->text);
    network_names_withdraw(connection->home, &connection->network, connection->container);
    connection->named = false;
    return 0;
}

// --- when its namespace is there ---

bool connection_leads_out(const struct connection *connection, uint8_t family) {
    const struct address *address = family == AF_INET ? &connection->lease.ipv4 : &connection->lease.ipv6;
    return !connection->network.internal && address->family != 0;
}

static size_t list_addresses(const struct connection *connection, struct link_address ret[NETWORK_FAMILIES]) {
    const struct network_subnet *both[NETWORK_FAMILIES] = {&connection->network.ipv4, &connection->network.ipv6};
    const struct address *leases[NETWORK_FAMILIES] = {&connection->lease.ipv4, &connection->lease.ipv6};
    size_t count = 0;
    for (int i = 0; i < NETWORK_FAMILIES; i++) {
        if (leases[i]->family != 0) {
            ret[count++] = (struct link_address){.address = *leases[i], .prefix = both[i]->subnet.prefix};
        }
    }
    return count;
}

static int make_endpoint(struct connection *connection, int netns_fd, bool gateway4, bool gateway6, struct err *err) {
    const struct network *network = &connection->network;
    const struct network_subnet *both[NETWORK_FAMILIES] = {&network->ipv4, &network->ipv6};
    const struct address *leases[NETWORK_FAMILIES] = {&connection->lease.ipv4, &connection->lease.ipv6};
    const bool leads[NETWORK_FAMILIES] = {gateway4, gateway6}, is_macvlan = network->driver == NETWORK_MACVLAN;
    const char *parent = is_macvlan ? network_option(network, NETWORK_OPTION_PARENT) : NULL;
    struct link_address addresses[NETWORK_FAMILIES];
    struct address gateways[NETWORK_FAMILIES];
    struct endpoint endpoint = {0};
    char bridge[IF_NAMESIZE], host_name[IF_NAMESIZE], name[IF_NAMESIZE], trunk[IF_NAMESIZE], trunk_port[IF_NAMESIZE];
    size_t count = list_addresses(connection, addresses), gateway_count = 0;
    for (int i = 0; i < NETWORK_FAMILIES; i++) {
        if (leases[i]->family != 0 && leads[i]) {
            gateways[gateway_count++] = both[i]->gateway;
        }
    }
    if (!is_macvlan && count > 0) {
        network_crowd_look(connection->home, network, &addresses[0].address, &connection->crowd);
    }
    bool crowded = !is_macvlan && connection->crowd.now && !connection->own_port;
    struct endpoint_request request = {
        .kind = is_macvlan ? ENDPOINT_MACVLAN : ENDPOINT_BRIDGED,
        .parent = is_macvlan ? (parent ? parent : "") : network_bridge_name(network, bridge),
        .host_name = is_macvlan ? NULL : attachment_host_name(connection->container, connection->wish->number, host_name),
        .trunk = crowded ? network_trunk_name(network, connection->container, trunk) : NULL,
        .trunk_port = crowded ? network_trunk_port(network, connection->container, trunk_port) : NULL,
        .settle = !is_macvlan && connection->crowd.ever,
        .name = attachment_link_name(connection->wish, name),
        .addresses = addresses,
        .address_count = count,
        .gateways = gateways,
        .gateway_count = gateway_count,
        .mtu = network_mtu(network),
        .announce = true,
    };
    if (connection->wish->mac && !link_parse_mac(connection->wish->mac, request.mac)) {
        return err_set(err, ERR_CORRUPT, "\"%s\" is no hardware address", connection->wish->mac);
    }
    if (endpoint_create(&request, netns_fd, &endpoint, err) < 0) {
        return -1;
    }
    connection->index = endpoint.index;
    connection->on_trunk = endpoint.on_trunk;
    memcpy(connection->mac, endpoint.mac, MAC_SIZE);
    return 0;
}

int connection_make(struct connection *connection, int netns_fd, bool gateway4, bool gateway6, struct err *err) {
    if (make_endpoint(connection, netns_fd, gateway4, gateway6, err) < 0) {
        return err_in(err, "network %s", connection->network.name);
    }
    connection->made = true;
    return 0;
}

// By the host's end, or by its number: what it is called by now is the container's affair.
int connection_unmake(struct connection *connection, int netns_fd, struct err *err) {
    char name[IF_NAMESIZE];
    if (!connection->made) {
        return 0;
    }
    int result = connection->network.driver == NETWORK_MACVLAN || connection->on_trunk
                     ? endpoint_remove_within(netns_fd, connection->index, err)
                     : endpoint_remove(attachment_host_name(connection->container, connection->wish->number, name), err);
    if (result < 0) {
        return err_in(err, "network %s", connection->network.name);
    }
    connection->made = false;
    return 0;
}

int connection_rejoin(const struct connection *connection, int netns_fd, bool *ret_there, struct err *err) {
    char bridge[IF_NAMESIZE], name[IF_NAMESIZE];
    *ret_there = true;
    if (connection->network.driver != NETWORK_BRIDGE) {
        return 0;
    }
    if (!connection->on_trunk) {
        return endpoint_rejoin(attachment_host_name(connection->container, connection->wish->number, name),
                               network_bridge_name(&connection->network, bridge), ret_there, err);
    }
    return network_trunks_rejoin(&connection->network, err) < 0 ? -1
                                                                 : endpoint_is_within(netns_fd, connection->index, ret_there, err);
}

int connection_strip(const struct connection *connection, int netns_fd, struct err *err) {
    struct link_address addresses[NETWORK_FAMILIES];
    size_t count = list_addresses(connection, addresses);
    return connection->made && connection->on_trunk ? endpoint_strip(netns_fd, connection->index, addresses, count, err) : 0;
}

int connection_lead_out(const struct connection *connection, int netns_fd, bool gateway4, bool gateway6, struct err *err) {
    struct address gateways[NETWORK_FAMILIES];
    size_t count = 0;
    if (gateway4) {
        gateways[count++] = connection->network.ipv4.gateway;
    }
    if (gateway6) {
        gateways[count++] = connection->network.ipv6.gateway;
    }
    return connection->made && count > 0 ? endpoint_route(netns_fd, connection->index, gateways, count, err) : 0;
}

void connection_release(struct connection *connection) {
    dns_beginning_finish(&connection->responder);
    if (connection->taken) {
        if (connection->named) {
            network_names_withdraw(connection->home, &connection->network, connection->container);
        }
        lease_release(connection->home, connection->network.id, &connection->lease);
    }
    connection->taken = connection->named = connection->made = false;
}
