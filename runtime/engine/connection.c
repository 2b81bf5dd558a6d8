#include "runtime/engine/connection.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network_names.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/request.h"
#include "runtime/net/bridge.h"
#include "runtime/net/conntrack.h"
#include "runtime/net/endpoint.h"
#include "runtime/net/foreign_filter.h"
#include "runtime/net/resolv.h"
#include "runtime/net/sysctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FAMILIES = 2 };

// --- the network ---

static size_t list_subnets(const struct network *network, struct subnet subnets[FAMILIES], struct link_address gateways[FAMILIES]) {
    const struct network_subnet *both[FAMILIES] = {&network->ipv4, &network->ipv6};
    size_t count = 0;
    for (int i = 0; i < FAMILIES; i++) {
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

// The network's own part: the bridge, and its rules.
static int make_bridge(const struct connection *connection, struct err *err) {
    const struct network *network = &connection->network;
    char name[IF_NAMESIZE];
    AUTO_FD int firewall_fd = firewall_open(err);
    network_bridge_name(network, name);
    struct subnet subnets[FAMILIES];
    struct link_address gateways[FAMILIES];
    struct sysctl_changes changes;
    bool fresh;
    int index;
    size_t count = list_subnets(network, subnets, gateways);
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
    return connection->port_count > 0 && network->ipv4.set ? sysctl_route_localnet(name, err) : 0;
}

// Where the host cannot have a network, its user learns what goes without one.
static int raise_bridge(const struct connection *connection, struct err *err) {
    if (make_bridge(connection, err) == 0) {
        return 0;
    }
    struct err why = *err;
    return why.kind == ERR_UNSUPPORTED
               ? err_set(err, ERR_UNSUPPORTED, "network %s: %s; --network none and host do without", connection->network.name, why.text)
               : err_in(err, "network %s", connection->network.name);
}

// --- before the container ---

static bool is_none(const struct run_request *request) {
    return !request->network || strcmp(request->network, "none") == 0 || strcmp(request->network, "host") == 0;
}

// All of one wish, one port after the other: the kernel's choice, a range of which any will do, or each its own.
// Which container a port is published for, by the packet filter's own books.
static const char *owner_of(void *context, uint8_t protocol, const struct address *address, uint16_t port) {
    struct connection *connection = context;
    struct firewall_state state;
    struct record record;
    struct err err;
    AUTO_FD int firewall_fd = firewall_open(&err);
    (void)address;
    if (firewall_fd < 0 || firewall_read(firewall_fd, &connection->arena, &state, &err) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i];
        if (there->port.protocol == protocol && there->port.host_port == port &&
            record_read(connection->home, &connection->arena, there->owner, &record, &err) == 0) {
            return arena_format(&connection->arena, "container %s", record.name);
        }
    }
    return NULL;
}

static int reserve_one(struct connection *connection, const struct publish *publish, uint16_t offset, struct err *err) {
    bool any = publish->host_first == 0, choice = publish->first == publish->last;
    struct port_wish wish = {
        .protocol = publish->protocol,
        .addresses = {publish->host},
        .address_count = 1,
        .first = any ? 0 : (uint16_t)(publish->host_first + offset),
        .last = any      ? 0
                : choice ? publish->host_last
                         : (uint16_t)(publish->host_first + offset),
    };
    if (publish->host.family == 0) {
        wish.addresses[0].family = AF_INET;
        wish.addresses[1].family = AF_INET6;
        wish.address_count = connection->network.ipv6.set ? 2 : 1;
    }
    struct port_reservation *reservation = &connection->reservations[connection->reservation_count];
    *reservation = (struct port_reservation)PORT_RESERVATION_NONE;
    if (port_reserve(&wish, owner_of, connection, reservation, err) < 0) {
        return -1;
    }
    connection->reservation_count++;
    const struct address *targets[FAMILIES] = {&connection->lease.ipv4, &connection->lease.ipv6};
    for (int i = 0; i < FAMILIES; i++) {
        if (targets[i]->family == 0 || (publish->host.family != 0 && publish->host.family != targets[i]->family)) {
            continue;
        }
        connection->ports[connection->port_count++] = (struct firewall_port){
            .protocol = publish->protocol,
            .host = publish->host,
            .host_port = reservation->port,
            .target = *targets[i],
            .target_port = (uint16_t)(publish->first + offset),
            .count = 1,
        };
    }
    return 0;
}

static int count_ports(const struct run_request *request, struct publish *wishes, size_t *ret_count, struct err *err) {
    *ret_count = 0;
    for (size_t i = 0; i < request->publish.count; i++) {
        if (publish_parse(request->publish.items[i], &wishes[i], err) < 0) {
            return -1;
        }
        *ret_count += (size_t)(wishes[i].last - wishes[i].first) + 1;
    }
    return 0;
}

static int reserve(struct connection *connection, const struct run_request *request, struct err *err) {
    struct arena *arena = &connection->arena;
    struct publish *wishes = arena_array(arena, request->publish.count + 1, sizeof(*wishes));
    size_t count;
    if (count_ports(request, wishes, &count, err) < 0) {
        return -1;
    }
    connection->reservations = arena_array(arena, count + 1, sizeof(*connection->reservations));
    connection->ports = arena_array(arena, FAMILIES * count + 1, sizeof(*connection->ports));
    for (size_t i = 0; i < request->publish.count; i++) {
        for (unsigned offset = 0; offset <= (unsigned)(wishes[i].last - wishes[i].first); offset++) {
            if (reserve_one(connection, &wishes[i], (uint16_t)offset, err) < 0) {
                return err_in(err, "--publish %s", request->publish.items[i]);
            }
        }
    }
    return 0;
}

static int take_addresses(struct connection *connection, const struct run_request *request, struct err *err) {
    struct address four, six;
    if ((request->ip && address_parse("--ip", request->ip, &four, err) < 0) ||
        (request->ip6 && address_parse("--ip6", request->ip6, &six, err) < 0)) {
        return -1;
    }
    return lease_take(connection->home, &connection->network, connection->container, request->ip ? &four : NULL,
                      request->ip6 ? &six : NULL, &connection->lease, err);
}

static int take_names(struct connection *connection, const struct record *record, const struct run_request *request,
                      struct err *err) {
    size_t count = 0;
    const char **names = arena_array(&connection->arena, request->aliases.count + 3, sizeof(*names));
    names[count++] = record->name;
    if (request->hostname && strcmp(request->hostname, record->name) != 0) {
        names[count++] = request->hostname;
    }
    for (size_t i = 0; i < request->aliases.count; i++) {
        names[count++] = request->aliases.items[i];
    }
    const struct network_names wish = {.names = names, .count = count, .netns_fd = -1, .cgroup_fd = -1};
    connection->named = network_has_names(&connection->network);
    return network_names_publish(connection->home, &connection->network, &connection->lease, &wish, err);
}

static int take_all(struct connection *connection, const struct record *record, const struct run_request *request,
                    struct err *err) {
    if (take_addresses(connection, request, err) < 0 || reserve(connection, request, err) < 0) {
        return -1;
    }
    // The names' responder binds to the bridge's addresses.
    if (connection->network.driver == NETWORK_BRIDGE && raise_bridge(connection, err) < 0) {
        return -1;
    }
    return take_names(connection, record, request, err);
}

int connection_take(struct connection *connection, const struct home *home, const struct record *record,
                    const struct run_request *request, struct err *err) {
    *connection = (struct connection){.home = home, .container = record->id};
    if (is_none(request)) {
        return request->publish.count == 0 || (request->network && strcmp(request->network, "host") == 0)
                   ? 0
                   : err_set(err, ERR_INPUT, "--publish: the container has no network; add --network bridge");
    }
    if (home->rootless) {
        return err_set(err, ERR_UNSUPPORTED, "--network %s: needs root in this version; an ordinary user has none and host",
                       request->network);
    }
    if (network_find(home, &connection->arena, request->network, &connection->network, err) < 0) {
        return -1;
    }
    if (connection->network.driver != NETWORK_BRIDGE && connection->network.driver != NETWORK_MACVLAN) {
        return err_set(err, ERR_UNSUPPORTED, "--network %s: expected a network of the driver bridge or macvlan", request->network);
    }
    // Held until there is a lease, which keeps the network from being removed.
    AUTO_FD int folder_fd = network_open(home, &connection->network, err);
    connection->taken = folder_fd >= 0;
    if (folder_fd < 0 || take_all(connection, record, request, err) < 0) {
        connection_release(connection);
        return -1;
    }
    return 0;
}

static void read_host_file(const char *path, struct resolv *ret) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err missing;
    *ret = (struct resolv){0};
    if (fd_read_file(AT_FDCWD, path, RESOLV_MAX_BYTES, &text, &size, &missing) == 0) {
        resolv_parse(text, size, ret);
    }
}

void connection_write_resolv(const struct connection *connection, struct buf *text) {
    struct resolv host, behind;
    const struct network *network = &connection->network;
    struct subnet subnets[FAMILIES];
    struct link_address links[FAMILIES];
    struct address gateways[FAMILIES];
    size_t count = list_subnets(network, subnets, links);
    for (size_t i = 0; i < count; i++) {
        gateways[i] = links[i].address;
    }
    read_host_file(RESOLV_PATH, &host);
    if (!connection->named && resolv_has_stub(&host)) {
        read_host_file(RESOLV_BEHIND_STUB, &behind);
        resolv_add_servers(&host, &behind);
    }
    resolv_for_container(&host, gateways, connection->named ? count : 0, text);
}

// --- when its namespace is there ---

static int make_endpoint(const struct connection *connection, const char *parent, int netns_fd, struct err *err) {
    const struct network *network = &connection->network;
    const struct network_subnet *both[FAMILIES] = {&network->ipv4, &network->ipv6};
    const struct address *leases[FAMILIES] = {&connection->lease.ipv4, &connection->lease.ipv6};
    struct link_address addresses[FAMILIES];
    struct address gateways[FAMILIES];
    struct endpoint endpoint;
    char host_name[IF_NAMESIZE];
    size_t count = 0;
    for (int i = 0; i < FAMILIES; i++) {
        if (leases[i]->family != 0) {
            gateways[count] = both[i]->gateway;
            addresses[count++] = (struct link_address){.address = *leases[i], .prefix = both[i]->subnet.prefix};
        }
    }
    snprintf(host_name, sizeof(host_name), "cv-%.12s", connection->container);
    const struct endpoint_request request = {
        .kind = network->driver == NETWORK_MACVLAN ? ENDPOINT_MACVLAN : ENDPOINT_BRIDGED,
        .parent = parent,
        .host_name = network->driver == NETWORK_MACVLAN ? NULL : host_name,
        .name = "eth0",
        .addresses = addresses,
        .address_count = count,
        .gateways = gateways,
        .gateway_count = network->internal ? 0 : count,
        .mtu = network_mtu(network),
        .announce = true,
    };
    return endpoint_create(&request, netns_fd, &endpoint, err);
}

static bool runs(const struct home *home, const char *id) {
    AUTO_ARENA struct arena arena = {0};
    struct record record;
    struct err gone;
    if (record_read(home, &arena, id, &record, &gone) < 0) {
        return false;
    }
    enum record_state state = record_state(home, &record);
    return state == RECORD_RUNNING || state == RECORD_PAUSED;
}

static bool is_wanted(const struct connection *connection, const struct firewall_port *port) {
    for (size_t i = 0; i < connection->port_count; i++) {
        const struct firewall_port *own = &connection->ports[i];
        if (own->protocol == port->protocol && own->host_port == port->host_port && own->target.family == port->target.family &&
            address_is_equal(&own->host, &port->host)) {
            return true;
        }
    }
    return false;
}

// A port whose socket we hold, but that is published: its monitor was killed. It is taken away, unless its container goes on.
static int take_over(struct connection *connection, int firewall_fd, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct firewall_state state;
    if (firewall_read(firewall_fd, &arena, &state, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i];
        if (is_wanted(connection, &there->port) && !runs(connection->home, there->owner) &&
            firewall_unpublish(firewall_fd, &there->port, 1, err) < 0) {
            return -1;
        }
    }
    return firewall_publish(firewall_fd, connection->ports, connection->port_count, connection->container, err);
}

static int publish_ports(struct connection *connection, struct err *err) {
    AUTO_FD int firewall_fd = firewall_open(err);
    if (firewall_fd < 0) {
        return -1;
    }
    int result = firewall_publish(firewall_fd, connection->ports, connection->port_count, connection->container, err);
    return result < 0 && err->kind == ERR_EXISTS ? take_over(connection, firewall_fd, err) : result;
}

int connection_attach(void *context, int netns_fd, struct err *err) {
    struct connection *connection = context;
    const struct network *network = &connection->network;
    char name[IF_NAMESIZE];
    if (network->driver == NETWORK_MACVLAN) {
        const char *parent = network_option(network, "parent");
        return make_endpoint(connection, parent ? parent : "", netns_fd, err) < 0 ? err_in(err, "network %s", network->name) : 0;
    }
    network_bridge_name(network, name);
    if (make_endpoint(connection, name, netns_fd, err) < 0) {
        return err_in(err, "network %s", network->name);
    }
    if (connection->port_count == 0) {
        return 0;
    }
    if (publish_ports(connection, err) < 0) {
        return err_in(err, "publish the container's ports");
    }
    connection->published = true;
    return 0;
}

// What comes by UDP belongs to its old flow as long as it goes on, and would be sent to this container for ever.
static int forget_flows(const struct connection *connection, int firewall_fd, struct err *err) {
    const struct conntrack_match matches[FAMILIES] = {
        {.container = connection->lease.ipv4, .protocol = IPPROTO_UDP},
        {.container = connection->lease.ipv6, .protocol = IPPROTO_UDP},
    };
    int result = 0;
    for (int i = 0; i < FAMILIES && result == 0; i++) {
        result = matches[i].container.family ? conntrack_forget(firewall_fd, &matches[i], 1, err) : 0;
    }
    return result;
}

static bool has_udp(const struct connection *connection) {
    for (size_t i = 0; i < connection->port_count; i++) {
        if (connection->ports[i].protocol == IPPROTO_UDP) {
            return true;
        }
    }
    return false;
}

void connection_release(struct connection *connection) {
    struct err err;
    if (connection->published) {
        AUTO_FD int firewall_fd = firewall_open(&err);
        if (firewall_fd < 0 || firewall_unpublish(firewall_fd, connection->ports, connection->port_count, &err) < 0 ||
            (has_udp(connection) && forget_flows(connection, firewall_fd, &err) < 0)) {
            log_warn("%s", err.text);
        }
    }
    for (size_t i = 0; i < connection->reservation_count; i++) {
        port_release(&connection->reservations[i]);
    }
    if (connection->taken) {
        if (connection->named) {
            network_names_withdraw(connection->home, &connection->network, connection->container);
        }
        lease_release(connection->home, connection->network.id, connection->container);
    }
    arena_finish(&connection->arena);
    *connection = (struct connection){0};
}
