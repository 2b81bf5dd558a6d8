#include "runtime/engine/connection_edge.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/connections.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/process.h"
#include "runtime/net/edge.h"

#include <stdbool.h>
#include <string.h>

enum { FAMILIES = 2 };

static bool has_target(const struct publication *publication, uint8_t family) {
    for (size_t i = 0; i < publication->port_count; i++) {
        if (publication->ports[i].target.family == family) {
            return true;
        }
    }
    return false;
}

static size_t list_targets(const struct publication *publication, struct address targets[FAMILIES]) {
    static const uint8_t families[FAMILIES] = {AF_INET, AF_INET6};
    size_t count = 0;
    for (size_t family = 0; family < FAMILIES; family++) {
        for (size_t i = 0; i < publication->port_count; i++) {
            if (publication->ports[i].target.family == families[family]) {
                targets[count++] = publication->ports[i].target;
                break;
            }
        }
    }
    return count;
}

static int make(void *context, struct err *err) {
    const struct connections *connections = context;
    const struct pasta *pasta = &connections->edge;
    const struct rootless_plane *const both[FAMILIES] = {&pasta->ipv4, &pasta->ipv6};
    struct link_address planes[FAMILIES];
    struct address gateways[FAMILIES], targets[FAMILIES];
    struct edge_request request = {.name = pasta->name, .planes = planes, .gateways = gateways, .senders = targets};
    for (size_t i = 0; i < FAMILIES; i++) {
        if (both[i]->address.address.family != 0) {
            planes[request.plane_count] = both[i]->address;
            gateways[request.plane_count++] = both[i]->gateway;
        }
    }
    request.sender_count = list_targets(&connections->publication, targets);
    return edge_make(&request, err);
}

int edge_open(struct connections *connections, pid_t pid, struct err *err) {
    struct publication *publication = &connections->publication;
    if (connections->commons.net_fd < 0 || publication->port_count == 0) {
        return 0;
    }
    const struct pasta_listening listening = {
        .home = connections->home,
        .container = connections->record->id,
        .name = arena_format(&connections->arena, "cp-%.11s", connections->record->id),
        .anchor = connections->commons.anchor,
        .bound = pid,
        .ipv6 = has_target(publication, AF_INET6),
        .ports = publication->ports,
        .port_count = publication->port_count,
    };
    publication_let_go(publication); // pasta listens
    if (pasta_listen(&connections->edge, &listening, &connections->arena, err) < 0) {
        (void)!err_in(err, "publish the container's ports");
        return publication_explain(publication, err);
    }
    return edge_follow(connections, err);
}

int edge_follow(struct connections *connections, struct err *err) {
    return !connections->edge.taken || commons_do(&connections->commons, make, connections, err) == 0
               ? 0
               : err_in(err, "publish the container's ports");
}

// Whoever it found the namespaces by may have died, too: the keeper knows another.
int edge_revive(struct connections *connections, struct err *err) {
    struct pasta *edge = &connections->edge;
    if (process_start_time(connections->commons.anchor) == 0) {
        if (commons_mend(connections->home, &connections->commons, err) < 0) {
            return -1;
        }
        pasta_move(edge, connections->commons.anchor);
    }
    return pasta_revive(edge, err) < 0 ? -1 : edge_follow(connections, err);
}
