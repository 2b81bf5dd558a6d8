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
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"
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

static const struct address loopbacks[FAMILIES] = {{AF_INET, {127, 0, 0, 1}}, {AF_INET6, {[15] = 1}}};

static bool is_any(const struct address *address) {
    static const struct address any_4 = {.family = AF_INET}, any_6 = {.family = AF_INET6};
    return address->family == 0 || address_is_equal(address, &any_4) || address_is_equal(address, &any_6);
}

static bool is_loopback(const struct address *address) {
    return address->family == AF_INET ? address->bytes[0] == 127 : address_is_equal(address, &loopbacks[1]);
}

// Two addresses of the host of which one port can only be had once.
static bool is_in_the_way(const struct address *a, const struct address *b) {
    bool same_family = a->family == b->family || a->family == 0 || b->family == 0;
    return same_family && (is_any(a) || is_any(b) || address_is_equal(a, b));
}

// The same for two that pasta tells apart, and the packet filter behind it does not.
static bool is_in_the_way_behind(const struct address *a, const struct address *b) {
    return a->family == b->family && !is_any(a) && !is_any(b) && !address_is_equal(a, b) && is_loopback(a) == is_loopback(b);
}

struct search {
    bool (*fits)(const struct address *wanted, const struct address *there);
    uint8_t protocol;
    const struct address *address;
    uint16_t port;
    struct address found;
};

static bool has_port(const struct attachment_list *list, struct search *search) {
    for (size_t i = 0; i < list->ports_count; i++) {
        struct err damaged;
        search->found = (struct address){0};
        if (list->ports[i].host_port == search->port &&
            strcmp(list->ports[i].protocol, publish_protocol_name(search->protocol)) == 0 &&
            (!*list->ports[i].host || address_parse("host", list->ports[i].host, &search->found, &damaged) == 0) &&
            search->fits(search->address, &search->found)) {
            return true;
        }
    }
    return false;
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

// Who has no packet filter knows it by what running containers have written down.
static const char *owner_by_records(const struct publication *publication, struct search *search) {
    const char **ids;
    struct err err;
    if (record_list(publication->home, publication->arena, &ids, &err) < 0) {
        return NULL;
    }
    for (; *ids; ids++) {
        struct attachment_list list = {0};
        struct record record;
        if (strcmp(*ids, publication->container) != 0 &&
            record_read(publication->home, publication->arena, *ids, &record, &err) == 0 && record.networks &&
            attachment_list_read(record.networks, publication->arena, &list, &err) == 0 && has_port(&list, search) &&
            runs(publication->home, *ids)) {
            return arena_format(publication->arena, "container %s", record.name);
        }
    }
    return NULL;
}

static bool wishes(const struct strv *words, const struct search *search) {
    for (size_t i = 0; i < words->count; i++) {
        struct publish publish;
        struct err checked;
        if (publish_parse(words->items[i], &publish, &checked) == 0 && publish.protocol == search->protocol &&
            publish.host_first != 0 && publish.host_first <= search->port && search->port <= publish.host_last &&
            search->fits(search->address, &publish.host)) {
            return true;
        }
    }
    return false;
}

// One that is starting has the port before that stands anywhere.
static const char *owner_by_wishes(const struct publication *publication, const struct search *search) {
    const char **ids;
    struct err err;
    if (record_list(publication->home, publication->arena, &ids, &err) < 0) {
        return NULL;
    }
    for (; *ids; ids++) {
        struct run_request request;
        struct record record;
        if (strcmp(*ids, publication->container) != 0 && record_is_running(publication->home, *ids) &&
            record_read(publication->home, publication->arena, *ids, &record, &err) == 0 &&
            request_read_json(record.request, publication->arena, &request, &err) == 0 && wishes(&request.publish, search)) {
            return arena_format(publication->arena, "container %s", record.name);
        }
    }
    return NULL;
}

static const char *owner_by_filter(struct publication *publication, uint8_t protocol, const struct address *address,
                                   uint16_t port) {
    struct firewall_state state;
    struct record record;
    struct err err;
    AUTO_FD int firewall_fd = firewall_open(&err);
    if (firewall_fd < 0 || firewall_read(firewall_fd, publication->arena, &state, &err) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i];
        if (there->port.protocol == protocol && there->port.host_port == port && is_in_the_way(address, &there->port.host) &&
            record_read(publication->home, publication->arena, there->owner, &record, &err) == 0) {
            return arena_format(publication->arena, "container %s", record.name);
        }
    }
    return NULL;
}

// Which container a port is published for, by the packet filter's own books, where one can look at them.
static const char *owner_of(void *context, uint8_t protocol, const struct address *address, uint16_t port) {
    struct publication *publication = context;
    struct search search = {is_in_the_way, protocol, address, port, {0}};
    const char *owner = publication->home->rootless ? owner_by_records(publication, &search)
                                                    : owner_by_filter(publication, protocol, address, port);
    return owner ? owner : owner_by_wishes(publication, &search);
}

// What pasta carries by two addresses of the host is one port behind it, perhaps another container's.
static int check_behind(const struct publication *publication, const struct publication_wish *wish, uint16_t port,
                        struct err *err) {
    struct search search = {is_in_the_way_behind, wish->protocol, &wish->host, port, {0}};
    const char *owner = NULL;
    char text[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];
    if (!publication->carried || is_any(&wish->host)) {
        return 0;
    }
    for (size_t i = 0; i < publication->count && !owner; i++) {
        const struct publication_wish *before = &publication->wishes[i];
        if (before->protocol == wish->protocol && publication->reservations[i].port == port &&
            before->target_port != wish->target_port && is_in_the_way_behind(&wish->host, &before->host)) {
            search.found = before->host;
            owner = "this container";
        }
    }
    owner = owner ? owner : owner_by_records(publication, &search);
    return !owner
               ? 0
               : err_set(err, ERR_EXISTS,
                         "port %u/%s of %s cannot be told from that of %s, which %s has: without root only loopback is told from "
                         "other addresses; choose another one",
                         port, publish_protocol_name(wish->protocol), address_format(&wish->host, text),
                         address_format(&search.found, other), owner);
}

static void add_addresses(const struct address *host, bool ipv6, struct port_wish *wish) {
    wish->addresses[0] = *host;
    wish->address_count = 1;
    if (host->family == 0) {
        wish->addresses[0].family = AF_INET;
        wish->addresses[1].family = AF_INET6;
        wish->address_count = ipv6 ? 2 : 1;
    }
}

// One port of a wish, of which there may be several, one after the other: the kernel's choice, a range of which any will do, or
// each its own.
static int reserve_one(struct publication *publication, const struct publish *publish, uint16_t offset, bool ipv6,
                       struct err *err) {
    bool any = publish->host_first == 0, choice = publish->first == publish->last;
    struct port_wish wish = {
        .protocol = publish->protocol,
        .first = any ? 0 : (uint16_t)(publish->host_first + offset),
        .last = any      ? 0
                : choice ? publish->host_last
                         : (uint16_t)(publish->host_first + offset),
    };
    add_addresses(&publish->host, ipv6, &wish);
    struct port_reservation *reservation = &publication->reservations[publication->count];
    *reservation = (struct port_reservation)PORT_RESERVATION_NONE;
    if (port_reserve(&wish, owner_of, publication, reservation, err) < 0) {
        return -1;
    }
    struct publication_wish *kept = &publication->wishes[publication->count];
    *kept = (struct publication_wish){
        .protocol = publish->protocol,
        .host = publish->host,
        .target_port = (uint16_t)(publish->first + offset),
        .ipv6 = ipv6,
    };
    if (check_behind(publication, kept, reservation->port, err) < 0) {
        port_release(reservation);
        return -1;
    }
    publication->count++;
    return 0;
}

static int check_family(const struct publish *publish, const struct publication_families *families, struct err *err) {
    uint8_t family = publish->host.family;
    if ((family != AF_INET6 && families->ipv4) || (family != AF_INET && families->ipv6)) {
        return 0;
    }
    return family == AF_INET ? err_set(err, ERR_INPUT, "the container has no address of IPv4 that this could lead to")
                             : err_set(err, ERR_INPUT, "%s", families->without_ipv6);
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

int publication_reserve(struct publication *publication, const struct strv *words, const struct publication_families *families,
                        struct err *err) {
    struct arena *arena = publication->arena;
    struct publish *wishes = arena_array(arena, words->count + 1, sizeof(*wishes));
    size_t count;
    if (parse_all(words, wishes, &count, err) < 0) {
        return -1;
    }
    publication->reservations = arena_array(arena, count + 1, sizeof(*publication->reservations));
    publication->wishes = arena_array(arena, count + 1, sizeof(*publication->wishes));
    publication->ports = arena_array(arena, FAMILIES * count + 1, sizeof(*publication->ports));
    publication->entries = arena_array(arena, FAMILIES * count + 1, sizeof(*publication->entries));
    for (size_t i = 0; i < words->count; i++) {
        if (check_family(&wishes[i], families, err) < 0) {
            return err_in(err, "--publish %s", words->items[i]);
        }
        for (unsigned offset = 0; offset <= (unsigned)(wishes[i].last - wishes[i].first); offset++) {
            if (reserve_one(publication, &wishes[i], (uint16_t)offset, families->ipv6, err) < 0) {
                return err_in(err, "--publish %s", words->items[i]);
            }
        }
    }
    return 0;
}

// --- where they lead ---

static bool is_same_entry(const struct firewall_port *a, const struct firewall_port *b) {
    return a->protocol == b->protocol && a->host_port == b->host_port && a->target.family == b->target.family &&
           address_is_equal(&a->host, &b->host);
}

static bool has_entry(const struct firewall_port *entries, size_t count, const struct firewall_port *entry) {
    for (size_t i = 0; i < count; i++) {
        if (is_same_entry(&entries[i], entry)) {
            return true;
        }
    }
    return false;
}

size_t publication_entries(const struct firewall_port *ports, size_t count, bool carried, struct firewall_port *entries) {
    size_t entry_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct firewall_port entry = ports[i];
        if (is_any(&entry.host) || (carried && !is_loopback(&entry.host))) {
            entry.host = (struct address){0};
        } else if (carried) {
            entry.host = loopbacks[entry.host.family == AF_INET6];
        }
        if (!has_entry(entries, entry_count, &entry)) {
            entries[entry_count++] = entry;
        }
    }
    return entry_count;
}

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
    publication->entry_count =
        publication_entries(publication->ports, publication->port_count, publication->carried, publication->entries);
}

// A port whose socket we hold, but that is published: its monitor was killed. It is taken away, unless its container goes on; one
// of our own is of a time when we had another address.
static int take_over(struct publication *publication, int firewall_fd, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct firewall_state state;
    if (firewall_read(firewall_fd, &arena, &state, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < state.port_count; i++) {
        const struct firewall_published *there = &state.ports[i];
        struct record record;
        struct err gone;
        if (!has_entry(publication->entries, publication->entry_count, &there->port)) {
            continue;
        }
        // By two addresses of the host that only pasta tells apart, at one moment (see check_behind).
        bool lives = record_is_running(publication->home, there->owner) || runs(publication->home, there->owner);
        if (strcmp(there->owner, publication->container) != 0 && lives &&
            record_read(publication->home, &arena, there->owner, &record, &gone) == 0) {
            return err_set(err, ERR_EXISTS, "port %u/%s is taken by container %s; choose another one", there->port.host_port,
                           publish_protocol_name(there->port.protocol), record.name);
        }
        if (firewall_unpublish(firewall_fd, &there->port, 1, err) < 0) {
            return -1;
        }
    }
    return firewall_publish(firewall_fd, publication->entries, publication->entry_count, publication->container, err);
}

int publication_publish(struct publication *publication, struct err *err) {
    if (publication->port_count == 0) {
        return 0;
    }
    AUTO_FD int firewall_fd = firewall_open(err);
    if (firewall_fd < 0) {
        return -1;
    }
    int result = firewall_publish(firewall_fd, publication->entries, publication->entry_count, publication->container, err);
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
        if (firewall_fd < 0 || publication_take_back(firewall_fd, publication->entries, publication->entry_count, &err) < 0) {
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

int publication_explain(struct publication *publication, struct err *err) {
    for (size_t i = 0; i < publication->count; i++) {
        const struct publication_wish *kept = &publication->wishes[i];
        const uint16_t port = publication->reservations[i].port;
        AUTO_PORT_RESERVATION struct port_reservation again = PORT_RESERVATION_NONE;
        struct port_wish wish = {.protocol = kept->protocol, .first = port, .last = port};
        struct err taken;
        add_addresses(&kept->host, kept->ipv6, &wish);
        if (port_reserve(&wish, owner_of, publication, &again, &taken) < 0 && taken.kind == ERR_EXISTS) {
            *err = taken;
            return err_in(err, "publish the container's ports");
        }
    }
    return -1;
}

void publication_release(struct publication *publication) {
    publication_withdraw(publication);
    for (size_t i = 0; i < publication->count; i++) {
        port_release(&publication->reservations[i]);
    }
    *publication = (struct publication){0};
}
