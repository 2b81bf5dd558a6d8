#include "runtime/engine/view.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/home.h"
#include "runtime/engine/request_json.h"

#include <string.h>

// --- what a record says of networks ---

static const char *or_empty(const char *text) {
    return text ? text : "";
}

static struct view_network show_network(const struct attachment *attachment) {
    bool four = attachment->ipv4, six = attachment->ipv6;
    return (struct view_network){
        .name = or_empty(attachment->network_name),
        .id = or_empty(attachment->network_id),
        .address = or_empty(attachment->ipv4),
        .gateway = four ? or_empty(attachment->gateway4) : "",
        .prefix = four ? (uint32_t)attachment->prefix4 : 0,
        .address6 = or_empty(attachment->ipv6),
        .gateway6 = six ? or_empty(attachment->gateway6) : "",
        .prefix6 = six ? (uint32_t)attachment->prefix6 : 0,
        .mac = or_empty(attachment->hardware),
        .aliases = attachment->aliases,
        .aliases_count = attachment->aliases_count,
    };
}

static struct view_port show_port(const struct attachment_port *port) {
    return (struct view_port){
        .protocol = port->protocol,
        .port = port->target_port,
        .host = *port->host ? port->host : strchr(port->target, ':') ? "::" : "0.0.0.0",
        .host_port = port->host_port,
    };
}

static int read_networks(struct arena *arena, struct view *view, struct err *err) {
    struct attachment_list list = {0};
    if (attachment_list_read(view->record.networks, arena, &list, err) < 0) {
        return -1;
    }
    view->networks = arena_array(arena, list.items_count + 1, sizeof(*view->networks));
    view->ports = arena_array(arena, list.ports_count + 1, sizeof(*view->ports));
    for (size_t i = 0; i < list.items_count; i++) {
        if (list.items[i].network_id) {
            view->networks[view->networks_count++] = show_network(&list.items[i]);
        }
    }
    for (size_t i = 0; i < list.ports_count; i++) {
        view->ports[view->ports_count++] = show_port(&list.ports[i]);
    }
    return 0;
}

// --- the whole ---

bool view_runs(const struct view *view) {
    return view->state == RECORD_RUNNING || view->state == RECORD_PAUSED;
}

static int read_once(const struct home *home, struct arena *arena, const char *id, struct view *view, struct err *err) {
    *view = (struct view){0};
    if (record_read(home, arena, id, &view->record, err) < 0) {
        return -1;
    }
    view->state = record_state(home, &view->record);
    view->attended = view_runs(view) && record_is_running(home, id);
    return 0;
}

int view_read(const struct home *home, struct arena *arena, const char *id, struct view *ret, struct err *err) {
    if (read_once(home, arena, id, ret, err) < 0) {
        return -1;
    }
    // It has ended between the looks at its record and at itself: how, its record says by now.
    if (ret->state == RECORD_EXITED && !ret->record.finished_s && read_once(home, arena, id, ret, err) < 0) {
        return -1;
    }
    if (request_read_json(ret->record.request, arena, &ret->request, err) < 0 ||
        mount_list_read(ret->record.mounts, arena, &ret->mounts, err) < 0) {
        return err_in(err, "container %.12s", id);
    }
    if (view_runs(ret) && read_networks(arena, ret, err) < 0) {
        return err_in(err, "container %.12s", id);
    }
    ret->health = ret->record.started ? health_file_status(home, id) : HEALTH_NONE; // an ended one has its last
    return 0;
}
