#include "runtime/engine/publication.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/strv.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/home.h"
#include "runtime/engine/publish.h"
#include "runtime/engine/record.h"
#include "runtime/net/conntrack.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { FAMILIES = 2 };

// What was asked of a port, without what it leads to.
struct publication_wish {
    uint8_t protocol;
    struct address host;
    uint16_t target_port;
    bool ipv6; // where the host's address is any
};

// --- reserving ---

static bool has_port(const struct attachment_list *list, uint8_t protocol, uint16_t port) {
    for (size_t i = 0; i < list->ports_count; i++) {
        if (list->ports[i].host_port == port && strcmp(list->ports[i].protocol, publish_protocol_name(protocol)) == 0) {
            return true;
        }
    }
    return false;
}

// Who has no packet filter knows it by what running containers have written down.
static const char *owner_by_records(const struct publication *publication, uint8_t protocol, uint16_t port) {
    const char **ids;
    struct err err;
    if (record_list(publication->home, publication->arena, &ids, &err) < 0) {
        return NULL;
    }
    for (; *ids; ids++) {
        struct attachment_list list = {0};
        struct record record;
        if (record_read(publication->home, publication->arena, *ids, &record, &err) == 0 && record.networks &&
            attachment_list_read(record.networks, publication->arena, &list, &err) == 0 && has_port(&list, protocol, port)) {
            return arena_format(publication->arena, "container %s", record.name);
        }
    }
    return NULL;
}

// Which container a port is published for, by the packet filter's own books.
static const char *owner_of(void *context, uint8_t protocol, const struct address *address, uint16_t port) {
    struct publication *publication = context;
    struct firewall_state state;
    struct record record;
    struct err err;
    (void)address;
    if (publication->home->rootless) {
        return owner_by_records(publication, protocol, port);
    }
    AUTO_FD int firewall_fd = firewall_open(&err);
    if (firewall_fd < 0 || firewall_read(firewall_fd, publication->arena, &state, &err) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i];
        if (there->port.protocol == protocol && there->port.host_port == port &&
            record_read(publication->home, publication->arena, there->owner, &record, &err) == 0) {
            return arena_format(publication->arena, "container %s", record.name);
        }
    }
    return NULL;
}

// One port of a wish, of which there may be several, one after the other: the kernel's choice, a range of which any will do, or
// each its own.
static int reserve_one(struct publication *publication, const struct publish *publish, uint16_t offset, bool ipv6,
                       struct err *err) {
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
        wish.address_count = ipv6 ? 2 : 1;
    }
    struct port_reservation *reservation = &publication->reservations[publication->count];
    *reservation = (struct port_reservation)PORT_RESERVATION_NONE;
    if (port_reserve(&wish, owner_of, publication, reservation, err) < 0) {
        return -1;
    }
    publication->wishes[publication->count++] = (struct publication_wish){
        .protocol = publish->protocol,
        .host = publish->host,
        .target_port = (uint16_t)(publish->first + offset),
        .ipv6 = ipv6,
    };
    return 0;
}

static int parse_all(const struct strv *words, struct publish *wishes, size_t *ret_count, struct err *err) {
    *ret_count = 0;
    for (size_t i = 0; i < words->count; i++) {
        if (publish_parse(words->items[i], &wishes[i], err) < 0) {
            return -1;
        }
        *ret_count += (size_t)(wishes[i].last - wishes[i].first) + 1;
    }
    return 0;
}

int publication_reserve(struct publication *publication, const struct strv *words, bool ipv6, struct err *err) {
    struct arena *arena = publication->arena;
    struct publish *wishes = arena_array(arena, words->count + 1, sizeof(*wishes));
    size_t count;
    if (parse_all(words, wishes, &count, err) < 0) {
        return -1;
    }
    publication->reservations = arena_array(arena, count + 1, sizeof(*publication->reservations));
    publication->wishes = arena_array(arena, count + 1, sizeof(*publication->wishes));
    publication->ports = arena_array(arena, FAMILIES * count + 1, sizeof(*publication->ports));
    for (size_t i = 0; i < words->count; i++) {
        for (unsigned offset = 0; offset <= (unsigned)(wishes[i].last - wishes[i].first); offset++) {
            if (reserve_one(publication, &wishes[i], (uint16_t)offset, ipv6, err) < 0) {
                return err_in(err, "--publish %s", words->items[i]);
            }
        }
    }
    return 0;
}

// --- where they lead ---

void publication_aim(struct publication *publication, const struct address *ipv4, const struct address *ipv6) {
    const struct address *targets[FAMILIES] = {ipv4, ipv6};
    publication->port_count = 0;
    for (size_t i = 0; i < publication->count * FAMILIES; i++) {
        const struct publication_wish *wish = &publication->wishes[i / FAMILIES];
        const struct address *target = targets[i % FAMILIES];
        bool reserved = wish->host.family == 0 ? target->family == AF_INET || wish->ipv6 : wish->host.family == target->family;
        if (target->family != 0 && reserved) {
            publication->ports[publication->port_count++] = (struct firewall_port){
                .protocol = wish->protocol,
                .host = wish->host,
                .host_port = publication->reservations[i / FAMILIES].port,
                .target = *target,
                .target_port = wish->target_port,
                .count = 1,
            };
        }
    }
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

static bool is_wanted(const struct publication *publication, const struct firewall_port *port) {
    for (size_t i = 0; i < publication->port_count; i++) {
        const struct firewall_port *own = &publication->ports[i];
        if (own->protocol == port->protocol && own->host_port == port->host_port && own->target.family == port->target.family &&
            address_is_equal(&own->host, &port->host)) {
            return true;
        }
    }
    return false;
}

// A port whose socket we hold, but that is published: its monitor was killed. It is taken away, unless its container goes on.
static int take_over(struct publication *publication, int firewall_fd, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct firewall_state state;
    if (firewall_read(firewall_fd, &arena, &state, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i];
        if (is_wanted(publication, &there->port) && !runs(publication->home, there->owner) &&
            firewall_unpublish(firewall_fd, &there->port, 1, err) < 0) {
            return -1;
        }
    }
    return firewall_publish(firewall_fd, publication->ports, publication->port_count, publication->container, err);
}

int publication_publish(struct publication *publication, struct err *err) {
    if (publication->port_count == 0) {
        return 0;
    }
    AUTO_FD int firewall_fd = firewall_open(err);
    if (firewall_fd < 0) {
        return -1;
    }
    int result = firewall_publish(firewall_fd, publication->ports, publication->port_count, publication->container, err);
    result = result < 0 && err->kind == ERR_EXISTS ? take_over(publication, firewall_fd, err) : result;
    publication->published = result == 0;
    return result < 0 ? err_in(err, "publish the container's ports") : 0;
}

// --- giving them back ---

// What comes by UDP belongs to its old flow as long as it goes on, and would be sent to this container for ever.
static int forget_flows(int firewall_fd, const struct firewall_port *ports, size_t count, struct err *err) {
    for (size_t i = 0; i < count; i++) {
        const struct firewall_port *port = &ports[i];
        const struct conntrack_match match = {.container = port->target, .protocol = IPPROTO_UDP};
        bool is_first = port->protocol == IPPROTO_UDP;
        for (size_t before = 0; before < i && is_first; before++) {
            is_first = ports[before].protocol != IPPROTO_UDP || !address_is_equal(&ports[before].target, &port->target);
        }
        if (is_first && conntrack_forget(firewall_fd, &match, 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int publication_take_back(int firewall_fd, const struct firewall_port *ports, size_t count, struct err *err) {
    return firewall_unpublish(firewall_fd, ports, count, err) < 0 ? -1 : forget_flows(firewall_fd, ports, count, err);
}

void publication_withdraw(struct publication *publication) {
    struct err err;
    if (publication->published) {
        AUTO_FD int firewall_fd = firewall_open(&err);
        if (firewall_fd < 0 || publication_take_back(firewall_fd, publication->ports, publication->port_count, &err) < 0) {
            log_warn("%s", err.text);
        }
        publication->published = false;
    }
}

void publication_let_go(struct publication *publication) {
    for (size_t i = 0; i < publication->count; i++) {
        port_hand_over(&publication->reservations[i]);
    }
}

void publication_release(struct publication *publication) {
    publication_withdraw(publication);
    for (size_t i = 0; i < publication->count; i++) {
        port_release(&publication->reservations[i]);
    }
    *publication = (struct publication){0};
}
