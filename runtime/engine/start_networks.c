// What of a start is about networks, and how they become more or fewer while it runs.
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/engine/control.h"
#include "runtime/engine/network_change.h"
#include "runtime/engine/start.h"

#include <string.h>

// What a killed monitor has left there of the time it ran is not so any more.
int start_read_networks(struct start *start, struct err *err) {
    if (attachment_list_read(start->record.networks, &start->arena, &start->attachments, err) < 0) {
        return err_in(err, "container %.12s", start->dir.id);
    }
    start->attachments.ports_count = 0;
    start->networks = attachment_list_write(&start->attachments, false, &start->arena);
    start->record.networks = start->networks;
    return 0;
}

static struct address host_gateway(const struct start *start) {
    static const struct address loopback = {.family = AF_INET, .bytes = {127, 0, 0, 1}};
    if (!etc_wants_host_gateway(start->request)) {
        return (struct address){0};
    }
    return strcmp(start->request->network, "host") == 0 ? loopback : connections_host_gateway(&start->connections);
}

int start_take_networks(struct start *start, struct err *err) {
    start->connections.home = &start->home;
    start->connections.record = &start->record;
    start->connections.request = start->request;
    if (connections_take(&start->connections, &start->attachments, err) < 0) {
        return -1;
    }
    if (!etc_wants_host_gateway(start->request) || host_gateway(start).family != 0) {
        return 0;
    }
    // Without a default route the host has no address that is its own rather than an interface's.
    return start->connections.pasta.taken || start->connections.commons.net_fd >= 0
               ? err_set(err, ERR_STATE,
                         "--add-host: host-gateway: the container's networks do not lead out, or this host has no default route; "
                         "say an address of the host")
               : etc_no_host_gateway(err);
}

int start_nest_users(struct start *start, struct err *err) {
    struct commons *commons = &start->connections.commons;
    if (commons->user_fd < 0) {
        return 0;
    }
    if (start->joined.user < 0) {
        start->joined.user = commons_user_namespace(commons, &start->home, err);
        return start->joined.user < 0 ? -1 : 0;
    }
    return commons_include(commons, start->joined.user)
               ? 0
               : err_set(err, ERR_STATE,
                         "--network %s: the container whose user ids it has is on no network with a name; put that on one, too",
                         start->request->network);
}

// Whoever has found the container without a monitor has seen to it that there is a keeper, if there can be one.
void start_find_commons(struct start *start) {
    bool on_any =
        start->attachments.items_count > 0 && !pasta_is_meant(&start->attachments) && request_has_own_network(start->request);
    start->connections.home = &start->home;
    if (start->home.rootless && on_any && !commons_find(&start->home, &start->connections.commons)) {
        log_info("container %.12s: the user's networks are not there", start->dir.id);
    }
    if (start->home.rootless && on_any && commons_lack(&start->connections.commons, &start->home, start->dir.id)) {
        pasta_sweep(&start->home, start->dir.id);
        start->connections.lost = true;
        start_write_down_loss(start);
    }
}

// Whoever looks at it sees no address and no port.
void start_write_down_loss(struct start *start) {
    struct err err;
    start->record.networks = start->networks;
    if (record_write(&start->dir, &start->record, &err) < 0) {
        log_warn("%s", err.text);
    }
}

void start_note_networks(struct start *start) {
    connections_describe(&start->connections, &start->attachments);
    start->record.networks = attachment_list_write(&start->attachments, true, &start->connections.arena);
}

void start_describe_etc(struct start *start, struct buf *resolv, struct etc_request *ret) {
    uint32_t base = start->record.first_id;
    connections_write_resolv(&start->connections, resolv);
    *ret = (struct etc_request){
        .resolv = buf_string(resolv),
        .keeps_servers = connections_have_names(&start->connections),
        .host_gateway = host_gateway(start),
        .hostname = engine_hostname(start->request, start->dir.id, &start->connections.arena),
        .run = start->request,
        .joined = request_joined_container(start->request),
        .host_network = strcmp(start->request->network, "host") == 0,
        .give = start->record.has_range,
        .owner = base,
        .group = base,
    };
    ret->address_count = connections_addresses(&start->connections, &ret->addresses);
}

// --- while it runs ---

// What is going to be stands in the record first.
static int write_down(struct start *start, const struct attachment_list *list, bool runs, struct err *err) {
    start->attachments = *list;
    start->networks = attachment_list_write(list, false, &start->arena);
    start->record.networks = start->networks;
    if (runs) {
        connections_describe(&start->connections, &start->attachments);
        start->record.networks = attachment_list_write(&start->attachments, true, &start->arena);
    }
    return record_write(&start->dir, &start->record, err);
}

// What could not be written down is not so.
static int write_down_wish(struct start *start, const struct attachment_list *list, bool runs, struct err *err) {
    const struct attachment_list attachments = start->attachments;
    const char *const networks = start->networks, *const described = start->record.networks;
    if (write_down(start, list, runs, err) == 0) {
        return 0;
    }
    start->attachments = attachments;
    start->networks = networks;
    start->record.networks = described;
    return -1;
}

// From now on it is so here; the record follows now, or with whatever is written next.
static void take_back(struct start *start, const struct attachment_list *before, bool runs) {
    struct err err;
    if (write_down(start, before, runs, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static int join(struct start *start, const char *text, bool runs, struct err *err) {
    const struct attachment_list before = start->attachments;
    struct attachment_list after = before;
    if (network_change_join(&start->home, &start->arena, &after, text, err) < 0 || write_down_wish(start, &after, runs, err) < 0) {
        return -1;
    }
    const struct attachment *added = &start->attachments.items[start->attachments.items_count - 1];
    if (!runs || connections_add(&start->connections, added, err) == 0) {
        return 0;
    }
    take_back(start, &before, runs);
    return -1;
}

static int leave(struct start *start, const char *text, bool runs, struct err *err) {
    const struct attachment_list before = start->attachments;
    struct attachment_list after = before;
    int64_t number;
    if (network_change_leave(&start->home, &start->arena, &after, text, &number, err) < 0 ||
        write_down_wish(start, &after, runs, err) < 0) {
        return -1;
    }
    if (!runs || connections_remove(&start->connections, number, err) == 0) {
        return 0;
    }
    if (connections_include(&start->connections, number)) { // what failed may also be what comes behind
        take_back(start, &before, runs);
    }
    return -1;
}

int start_change_networks(void *context, uint32_t kind, const char *text, bool runs, struct err *err) {
    struct start *start = context;
    AUTO_BUF struct buf resolv_before = {0};
    AUTO_BUF struct buf resolv_after = {0};
    struct etc_request before, after;
    if (start->connections.lost && runs) {
        return err_set(err, ERR_STATE, "it has lost its networks, as the processes that kept them were killed; restart it");
    }
    if ((kind == CONTROL_RELOAD || kind == CONTROL_RENAME) && start->adopts != MONITOR_STARTS) {
        return 0; // what the record has of it is healed without us
    }
    if (kind == CONTROL_RENAME) {
        return connections_rename(&start->connections, err);
    }
    if (start->adopts != MONITOR_STARTS) {
        return err_set(err, ERR_STATE,
                       "its monitor was killed, and the one that it has now can change no networks; restart it first");
    }
    if (!start->connections.has_namespace) {
        return kind == CONTROL_RELOAD ? 0 : network_change_none(start->request->network, kind == CONTROL_CONNECT, err);
    }
    if (kind == CONTROL_RELOAD) {
        return runs ? connections_restore(&start->connections, err) : 0;
    }
    start_describe_etc(start, &resolv_before, &before);
    int result = kind == CONTROL_DISCONNECT ? leave(start, text, runs, err) : join(start, text, runs, err);
    if (result < 0 || !runs) {
        return result;
    }
    start_describe_etc(start, &resolv_after, &after);
    const struct attachment_list list = start->attachments;
    return write_down(start, &list, true, err) < 0 ? -1 : etc_update(start->home.live_fd, start->dir.id, &before, &after, err);
}
