#include "runtime/engine/connections.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/engine/connection_edge.h"
#include "runtime/engine/home.h"
#include "runtime/engine/network_heal.h"
#include "runtime/engine/network_host.h"
#include "runtime/engine/network_names.h"
#include "runtime/engine/policy.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/net/dns.h"
#include "runtime/net/dns_names.h"
#include "runtime/net/endpoint.h"
#include "runtime/net/resolv.h"
#include "runtime/net/routes.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static const struct address no_address;

// --- the way out ---

static bool is_before(const struct connection *a, const struct connection *b) {
    return a->wish->gw_priority != b->wish->gw_priority ? a->wish->gw_priority > b->wish->gw_priority
                                                        : strcmp(a->network.name, b->network.name) < 0;
}

static struct connection *way_out(const struct connections *connections, uint8_t family) {
    struct connection *found = NULL;
    for (size_t i = 0; i < connections->count; i++) {
        struct connection *connection = connections->items[i];
        if (connection_leads_out(connection, family) && (!found || is_before(connection, found))) {
            found = connection;
        }
    }
    return found;
}

// Neighbours of a macvlan's reach all ports as they are.
static struct connection *port_target(const struct connections *connections, uint8_t family) {
    struct connection *found = way_out(connections, family);
    return found && found->network.driver == NETWORK_BRIDGE ? found : NULL;
}

static void aim(struct connections *connections) {
    const struct connection *four = port_target(connections, AF_INET), *six = port_target(connections, AF_INET6);
    publication_aim(&connections->publication, four ? &four->lease.ipv4 : &no_address, six ? &six->lease.ipv6 : &no_address);
}

// --- before the container ---

static int check_ports(const struct connections *connections, struct err *err) {
    const struct connection *out = way_out(connections, AF_INET);
    out = out ? out : way_out(connections, AF_INET6);
    if (connections->request->publish.count == 0 || port_target(connections, AF_INET) || port_target(connections, AF_INET6)) {
        return 0;
    }
    return out ? err_set(err, ERR_INPUT,
                         "--publish: the way out is network %s of driver %s, whose neighbours reach all ports as they are",
                         out->network.name, network_driver_name(out->network.driver))
               : err_set(err, ERR_INPUT, "--publish: no network of the container leads out; add --network bridge");
}

// Of each other network whose names are answered, one gateway.
static size_t list_besides(const struct connections *connections, const struct connection *but,
                           struct address besides[DNS_MAX_BESIDES]) {
    size_t count = 0;
    for (size_t i = 0; i < connections->count && count < DNS_MAX_BESIDES; i++) {
        const struct network *network = &connections->items[i]->network;
        if (connections->items[i] != but && network_has_names(network)) {
            besides[count++] = network->ipv4.set ? network->ipv4.gateway : network->ipv6.gateway;
        }
    }
    return count;
}

static int publish_names(const struct connections *connections, struct connection *connection, struct err *err) {
    const struct run_request *request = connections->request;
    const char *names[2] = {connections->record->name, request->hostname};
    bool both = names[1] && strcmp(names[0], names[1]) != 0;
    struct address servers[DNS_MAX_SERVERS], besides[DNS_MAX_BESIDES];
    struct network_names own = {.names = names,
                                .count = both ? 2 : 1,
                                .servers = servers,
                                .besides = besides,
                                .stand_in = connections->commons.name_server,
                                .netns_fd = -1,
                                .cgroup_fd = -1,
                                .beginning = &connection->responder};
    own.beside_count = list_besides(connections, connection, besides);
    for (size_t i = 0; i < request->dns.count && own.server_count < DNS_MAX_SERVERS; i++) {
        if (address_parse("--dns", request->dns.items[i], &servers[own.server_count++], err) < 0) {
            return -1;
        }
    }
    return connection_publish_names(connection, &own, err);
}

// What is beside them has changed.
static int publish_names_again(const struct connections *connections, const struct connection *but, struct err *err) {
    for (size_t i = 0; i < connections->count; i++) {
        struct connection *other = connections->items[i];
        if (other != but && other->named && (publish_names(connections, other, err) < 0 || dns_await(&other->responder, err) < 0)) {
            return -1;
        }
    }
    return 0;
}

// The bridge, then the names: their responder binds to the bridge's addresses.
// Who raises waits for the responder when it has nothing else to do.
static int raise_one(const struct connections *connections, struct connection *connection, struct err *err) {
    bool ports = connections->request->publish.count > 0;
    if (connection->network.driver == NETWORK_BRIDGE && network_raise(connections->home, &connection->network, ports, err) < 0) {
        return -1;
    }
    return publish_names(connections, connection, err);
}

// Two names, or a name and an id, may be of one network. What is given back is not what the first one has, which may be the same.
static int check_twice(const struct connections *connections, struct connection *added, struct err *err) {
    for (size_t i = 0; i < connections->count; i++) {
        const struct lease *first = &connections->items[i]->lease;
        if (strcmp(connections->items[i]->network.id, added->network.id) == 0) {
            added->lease.ipv4.family = address_is_equal(&first->ipv4, &added->lease.ipv4) ? 0 : added->lease.ipv4.family;
            added->lease.ipv6.family = address_is_equal(&first->ipv6, &added->lease.ipv6) ? 0 : added->lease.ipv6.family;
            connection_release(added);
            return err_set(err, ERR_EXISTS, "the container is on network %s already", added->network.name);
        }
    }
    return 0;
}

static int take_one(struct connections *connections, const struct attachment *wish, struct err *err) {
    struct connection *connection = arena_alloc(&connections->arena, sizeof(*connection));
    *connection = (struct connection){.home = connections->home,
                                      .container = connections->record->id,
                                      .wish = wish,
                                      .own_port = policy_grants(connections->request, CAP_NET_ADMIN)};
    if (connections->count == ATTACHMENTS_MAX) {
        return err_set(err, ERR_INPUT, "expected %d networks at most", ATTACHMENTS_MAX);
    }
    if (connection_take(connection, &connections->arena, err) < 0) {
        return -1;
    }
    if (check_twice(connections, connection, err) < 0) {
        return -1;
    }
    connections->items[connections->count++] = connection;
    return 0;
}

static void begin_publication(struct connections *connections) {
    connections->publication.home = connections->home;
    connections->publication.container = connections->record->id;
    connections->publication.arena = &connections->arena;
    connections->publication.carried = connections->home->rootless && !connections->pasta.taken;
}

static int raise_all(void *context, struct err *err) {
    struct connections *connections = context;
    for (size_t i = 0; i < connections->count; i++) {
        if (raise_one(connections, connections->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

// Pasta has IPv6 by the host's default route.
static int find_families(const struct connections *connections, struct publication_families *ret, struct err *err) {
    bool six = port_target(connections, AF_INET6) != NULL, carried = six;
    if (six && connections->home->rootless && connections->request->publish.count > 0 && pasta_has_ipv6(&carried, err) < 0) {
        return -1;
    }
    *ret = (struct publication_families){
        .ipv4 = port_target(connections, AF_INET) != NULL,
        .ipv6 = carried,
        .without_ipv6 = six ? "without root ports of IPv6 take a default route of IPv6 on this host, and it has none"
                            : "the container has no address of IPv6 that this could lead to; put it on a network made with --ipv6",
    };
    return 0;
}

static int take_all(struct connections *connections, const struct attachment_list *wishes, struct err *err) {
    for (size_t i = 0; i < wishes->items_count; i++) {
        if (take_one(connections, &wishes->items[i], err) < 0) {
            return -1;
        }
    }
    struct publication_families families;
    begin_publication(connections);
    if (check_ports(connections, err) < 0 || find_families(connections, &families, err) < 0 ||
        publication_reserve(&connections->publication, &connections->request->publish, &families, err) < 0) {
        return -1;
    }
    aim(connections);
    return commons_join(connections->home, &connections->commons, err) < 0
               ? -1
               : commons_do(&connections->commons, raise_all, connections, err);
}

static int take_pasta(struct connections *connections, const struct attachment_list *wishes, struct err *err) {
    struct pasta *pasta = &connections->pasta;
    if (pasta_take(pasta, connections->home, connections->record->id, wishes, &connections->arena, err) < 0) {
        return -1;
    }
    const struct publication_families families = {
        .ipv4 = true,
        .ipv6 = pasta->ipv6.address.address.family != 0,
        .without_ipv6 = "--network " PASTA_NETWORK " has IPv6 where this host has a default route of it, and it has none",
    };
    begin_publication(connections);
    if (publication_reserve(&connections->publication, &connections->request->publish, &families, err) < 0) {
        return -1;
    }
    publication_aim(&connections->publication, &pasta->ipv4.address.address, &pasta->ipv6.address.address);
    return 0;
}

int connections_take(struct connections *connections, const struct attachment_list *wishes, struct err *err) {
    const struct run_request *request = connections->request;
    connections->has_namespace = request_has_own_network(request);
    if (!connections->has_namespace) {
        return request->publish.count == 0 || strcmp(request->network, "host") == 0
                   ? 0
                   : err_set(err, ERR_INPUT, "--publish: the container has no network; add --network bridge");
    }
    if ((pasta_is_meant(wishes) ? take_pasta(connections, wishes, err) : take_all(connections, wishes, err)) < 0) {
        connections_release(connections);
        return -1;
    }
    return 0;
}

// The responder of its way out is asked first.
static size_t list_gateways(const struct connections *connections, struct address *gateways, size_t room) {
    const struct connection *first = way_out(connections, AF_INET);
    size_t count = 0;
    for (size_t i = 0; i < connections->count + 1; i++) {
        const struct connection *connection = i == 0 ? first : connections->items[i - 1];
        struct subnet subnets[NETWORK_FAMILIES];
        struct link_address links[NETWORK_FAMILIES];
        if (!connection || !connection->named || (i > 0 && connection == first)) {
            continue;
        }
        size_t planes = network_planes(&connection->network, subnets, links);
        for (size_t plane = 0; plane < planes && count < room; plane++) {
            gateways[count++] = links[plane].address;
        }
    }
    return count;
}

void connections_write_resolv(const struct connections *connections, struct buf *text) {
    struct resolv host, behind;
    struct address gateways[RESOLV_MAX_SERVERS];
    size_t count = list_gateways(connections, gateways, RESOLV_MAX_SERVERS);
    if (connections->pasta.taken) {
        pasta_write_resolv(&connections->pasta, text);
        return;
    }
    if (connections->count == 0) {
        return;
    }
    resolv_read(RESOLV_PATH, &host);
    if (count == 0 && resolv_has_stub(&host)) {
        resolv_read(RESOLV_BEHIND_STUB, &behind);
        resolv_add_servers(&host, &behind);
    }
    resolv_for_container(&host, gateways, count, text);
}

bool connections_have_names(const struct connections *connections) {
    for (size_t i = 0; i < connections->count; i++) {
        if (connections->items[i]->named) {
            return true;
        }
    }
    return false;
}

// The gateways of an ordinary user's networks are not the host. Pasta carries what is sent to the host's own address to the host.
static struct address host_by_pasta(const struct connections *connections) {
    bool pasta = connections->pasta.taken;
    struct address found = pasta || way_out(connections, AF_INET) ? routes_own_address(AF_INET) : no_address;
    return found.family == 0 &&
                   (pasta ? connections->pasta.ipv6.address.address.family != 0 : way_out(connections, AF_INET6) != NULL)
               ? routes_own_address(AF_INET6)
               : found;
}

struct address connections_host_gateway(const struct connections *connections) {
    const struct connection *out = port_target(connections, AF_INET), *six = port_target(connections, AF_INET6);
    if (connections->pasta.taken || connections->commons.net_fd >= 0) {
        return host_by_pasta(connections);
    }
    for (size_t i = 0; i < connections->count && !out && !six; i++) {
        const struct connection *other = connections->items[i];
        out = other->network.driver == NETWORK_BRIDGE && other->network.ipv4.set ? other : NULL;
    }
    return out ? out->network.ipv4.gateway : six ? six->network.ipv6.gateway : no_address;
}

size_t connections_addresses(struct connections *connections, const struct address **ret) {
    struct address *addresses = arena_array(&connections->arena, NETWORK_FAMILIES * (connections->count + 1), sizeof(*addresses));
    size_t count = pasta_addresses(&connections->pasta, addresses);
    for (size_t i = 0; i < connections->count; i++) {
        const struct lease *lease = &connections->items[i]->lease;
        if (lease->ipv4.family != 0) {
            addresses[count++] = lease->ipv4;
        }
        if (lease->ipv6.family != 0) {
            addresses[count++] = lease->ipv6;
        }
    }
    *ret = addresses;
    return count;
}

// --- when its namespace is there ---

static int make_one(const struct connections *connections, struct connection *connection, struct err *err) {
    return connection_make(connection, connections->netns_fd, connection == way_out(connections, AF_INET),
                           connection == way_out(connections, AF_INET6), err);
}

static int make_all(void *context, struct err *err) {
    struct connections *connections = context;
    for (size_t i = 0; i < connections->count; i++) {
        if (make_one(connections, connections->items[i], err) < 0) {
            return -1;
        }
    }
    if (connections->count == 0 && endpoint_loopback(connections->netns_fd, err) < 0) {
        return -1;
    }
    if (publication_publish(&connections->publication, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < connections->count; i++) {
        if (dns_await(&connections->items[i]->responder, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int connections_attach(void *context, pid_t pid, int netns_fd, struct err *err) {
    struct connections *connections = context;
    struct publication *publication = &connections->publication;
    if (connections->pasta.taken) {
        publication_let_go(publication);
        return pasta_attach(&connections->pasta, pid, publication->ports, publication->port_count, err) < 0
                   ? publication_explain(publication, err)
                   : 0;
    }
    connections->netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
    if (connections->netns_fd < 0) {
        return err_sys(err, "keep the container's network namespace");
    }
    return commons_do(&connections->commons, make_all, connections, err) < 0 ? -1 : edge_open(connections, pid, err);
}

void connections_bind(struct connections *connections) {
    pasta_bind(&connections->pasta);
    pasta_bind(&connections->edge);
}

// --- while it runs ---

struct ways {
    const struct connection *four, *six, *port4, *port6;
};

static struct ways find_ways(const struct connections *connections) {
    return (struct ways){way_out(connections, AF_INET), way_out(connections, AF_INET6), port_target(connections, AF_INET),
                         port_target(connections, AF_INET6)};
}

// The default routes and the ports follow the way out, where it has become another one. A route that went with its interface needs
// no more than the new one.
static int follow(struct connections *connections, const struct ways *before, struct err *err) {
    const struct ways now = find_ways(connections);
    if (now.four && now.four != before->four &&
        connection_lead_out(now.four, connections->netns_fd, true, now.six == now.four && now.six != before->six, err) < 0) {
        return -1;
    }
    if (now.six && now.six != before->six && now.six != now.four &&
        connection_lead_out(now.six, connections->netns_fd, false, true, err) < 0) {
        return -1;
    }
    if (now.port4 == before->port4 && now.port6 == before->port6) {
        return 0;
    }
    publication_withdraw(&connections->publication);
    aim(connections);
    return publication_publish(&connections->publication, err);
}

static void forget(struct connections *connections, size_t index) {
    connection_release(connections->items[index]);
    for (connections->count--; index < connections->count; index++) {
        connections->items[index] = connections->items[index + 1];
    }
}

static int add_there(struct connections *connections, struct connection *added, const struct ways *before, struct err *err) {
    return raise_one(connections, added, err) < 0 || make_one(connections, added, err) < 0 ||
                   dns_await(&added->responder, err) < 0 || follow(connections, before, err) < 0 ||
                   publish_names_again(connections, added, err) < 0
               ? -1
               : 0;
}

struct change {
    struct connections *connections;
    const struct attachment *wish;
    int64_t number;
};

static int remove_inside(void *context, struct err *err);

static int add_inside(void *context, struct err *err) {
    const struct change *change = context;
    struct connections *connections = change->connections;
    const struct ways before = find_ways(connections);
    if (take_one(connections, change->wish, err) < 0) {
        return -1;
    }
    if (add_there(connections, connections->items[connections->count - 1], &before, err) == 0) {
        return 0;
    }
    struct err undone;
    if (remove_inside(&(struct change){connections, NULL, change->wish->number}, &undone) < 0) {
        log_warn("%s", undone.text);
    }
    return -1;
}

int connections_add(struct connections *connections, const struct attachment *wish, struct err *err) {
    struct change change = {connections, wish, wish->number};
    return commons_do(&connections->commons, add_inside, &change, err) < 0 ? -1 : edge_follow(connections, err);
}

static size_t find(const struct connections *connections, int64_t number) {
    size_t index = 0;
    while (index < connections->count && connections->items[index]->wish->number != number) {
        index++;
    }
    return index;
}

bool connections_include(const struct connections *connections, int64_t number) {
    return find(connections, number) < connections->count;
}

static int remove_inside(void *context, struct err *err) {
    const struct change *change = context;
    struct connections *connections = change->connections;
    const struct ways before = find_ways(connections);
    size_t index = find(connections, change->number);
    if (index == connections->count) {
        return 0;
    }
    struct connection *connection = connections->items[index];
    if (connection_unmake(connection, connections->netns_fd, err) < 0) {
        return -1;
    }
    forget(connections, index);
    return follow(connections, &before, err) < 0 ? -1 : publish_names_again(connections, NULL, err);
}

int connections_remove(struct connections *connections, int64_t number, struct err *err) {
    struct change change = {connections, NULL, number};
    return commons_do(&connections->commons, remove_inside, &change, err) < 0 ? -1 : edge_follow(connections, err);
}

static int rename_there(void *context, struct err *err) {
    return publish_names_again(context, NULL, err);
}

int connections_rename(struct connections *connections, struct err *err) {
    return commons_do(&connections->commons, rename_there, connections, err);
}

// An interface that was taken away is made anew: its other end went with it.
static int restore_one(const struct connections *connections, struct connection *connection, struct err *err) {
    bool there = true;
    if (raise_one(connections, connection, err) < 0 || connection_rejoin(connection, connections->netns_fd, &there, err) < 0) {
        return -1;
    }
    return !there && make_one(connections, connection, err) < 0 ? -1 : dns_await(&connection->responder, err);
}

static int restore_all(void *context, struct err *err) {
    struct connections *connections = context;
    for (size_t i = 0; i < connections->count; i++) {
        if (restore_one(connections, connections->items[i], err) < 0) {
            return -1;
        }
    }
    return publication_publish(&connections->publication, err);
}

int connections_restore(struct connections *connections, struct err *err) {
    // Pasta is looked after always.
    return connections->pasta.taken ? 0 : commons_do(&connections->commons, restore_all, connections, err);
}

void connections_watched(const struct connections *connections, int ret_fds[CONNECTIONS_WATCHED]) {
    ret_fds[0] = pasta_watched(&connections->pasta);
    ret_fds[1] = pasta_watched(&connections->edge);
    ret_fds[2] = connections->commons.keeper_fd;
}

static bool is_readable(int fd) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&one, 1, 0) > 0;
}

// Who sends to its ports is better refused than heard by nobody.
static void lose(struct connections *connections) {
    pasta_release(&connections->edge);
    connections->publication.published = false;
    connections->lost = true;
}

int connections_mend(struct connections *connections, struct err *err) {
    if (is_readable(connections->commons.keeper_fd) && commons_mend(connections->home, &connections->commons, err) < 0) {
        if (err->kind == ERR_STATE) {
            lose(connections);
        }
        return -1;
    }
    if (is_readable(pasta_watched(&connections->edge)) && edge_revive(connections, err) < 0) {
        return -1;
    }
    return is_readable(pasta_watched(&connections->pasta)) ? pasta_revive(&connections->pasta, err) : 0;
}

// --- giving back ---

static int withdraw(void *context, struct err *err) {
    struct connections *connections = context;
    if (connections->publication.published) {
        publication_withdraw(&connections->publication);
    }
    for (size_t i = 0; i < connections->count; i++) {
        if (connections->netns_fd >= 0 && connection_strip(connections->items[i], connections->netns_fd, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool has_to_withdraw(const struct connections *connections) {
    bool any = connections->publication.published;
    for (size_t i = 0; i < connections->count; i++) {
        any = any || connections->items[i]->on_trunk;
    }
    return any;
}

// The namespace's interfaces go with the last who keeps it.
void connections_release(struct connections *connections) {
    struct err err;
    pasta_release(&connections->pasta);
    pasta_release(&connections->edge);
    if (has_to_withdraw(connections) && commons_do(&connections->commons, withdraw, connections, &err) < 0) {
        log_warn("%s", err.text);
    }
    publication_release(&connections->publication);
    for (size_t i = 0; i < connections->count; i++) {
        connection_release(connections->items[i]);
    }
    connections->count = 0;
    connections->lost = false;
    commons_leave(&connections->commons);
    fd_close(&connections->netns_fd);
    arena_finish(&connections->arena);
}
