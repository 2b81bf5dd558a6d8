#include "cli/commands/all.h"
#include "cli/commands/container_filter.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/image.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/view.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ps_request {
    struct list_options list;
    struct strv filters;
    struct opt_i64 last;
    bool all, latest, sizes;
};

enum {
    COLUMN_ID,
    COLUMN_IMAGE,
    COLUMN_COMMAND,
    COLUMN_SINCE,
    COLUMN_STATUS,
    COLUMN_PORTS,
    COLUMN_SIZE,
    COLUMN_NAME,
    COLUMN_STATE,
    COLUMN_AT,
    COLUMN_LABELS,
    COLUMN_MOUNTS,
    COLUMN_NETWORKS,
    COLUMN_VOLUMES,
    COLUMN_HEALTH,
};

#define COLUMNS(size_flags)                                                                                                        \
    {                                                                                                                              \
        [COLUMN_ID] = {"ID", "CONTAINER ID", TABLE_QUIET, 12}, [COLUMN_IMAGE] = {"Image", "IMAGE"},                                \
        [COLUMN_COMMAND] = {"Command", "COMMAND", 0, 22}, [COLUMN_SINCE] = {"RunningFor", "CREATED"},                              \
        [COLUMN_STATUS] = {"Status", "STATUS"}, [COLUMN_PORTS] = {"Ports", "PORTS"},                                               \
        [COLUMN_SIZE] = {"Size", "SIZE", size_flags}, [COLUMN_NAME] = {"Names", "NAMES"},                                          \
        [COLUMN_STATE] = {"State", "STATE", TABLE_HIDDEN}, [COLUMN_AT] = {"CreatedAt", "CREATED AT", TABLE_HIDDEN},                \
        [COLUMN_LABELS] = {"Labels", "LABELS", TABLE_HIDDEN}, [COLUMN_MOUNTS] = {"Mounts", "MOUNTS", TABLE_HIDDEN},                \
        [COLUMN_NETWORKS] = {"Networks", "NETWORKS", TABLE_HIDDEN},                                                                \
        [COLUMN_VOLUMES] = {"LocalVolumes", "LOCAL VOLUMES", TABLE_HIDDEN},                                                        \
        [COLUMN_HEALTH] = {"Health", "HEALTH", TABLE_HIDDEN}, {0},                                                                 \
    }

static const struct table_column columns[] = COLUMNS(TABLE_HIDDEN);
static const struct table_column columns_with_sizes[] = COLUMNS(0);

struct listing {
    struct context *context;
    struct home home;
    struct store *store; // for sizes
    struct table table;
};

static void listing_finish(struct listing *listing) {
    store_close(listing->store);
    home_finish(&listing->home);
    table_finish(&listing->table);
}

// As docker has it behind "Up 5 minutes".
static const char *const health_words[] = {
    [HEALTH_NONE] = "",
    [HEALTH_STARTING] = " (health: starting)",
    [HEALTH_HEALTHY] = " (healthy)",
    [HEALTH_UNHEALTHY] = " (unhealthy)",
};

static void set_status(struct table *table, const struct view *view) {
    const struct record *record = &view->record;
    char since[OUTPUT_HUMAN_SIZE];
    int64_t now = time(NULL);
    switch (view->state) {
    case RECORD_CREATED:
        table_set(table, COLUMN_STATUS, "Created");
        break;
    case RECORD_RUNNING:
    case RECORD_PAUSED:
        // One that is just being started has no time yet.
        table_set(table, COLUMN_STATUS, "Up %s%s%s", output_human_duration(record->started_s ? now - record->started_s : 0, since),
                  view->state == RECORD_PAUSED ? " (Paused)" : health_words[view->health], view->attended ? "" : " (no monitor)");
        break;
    case RECORD_RESTARTING:
        table_set(table, COLUMN_STATUS, "Restarting (%d) %s ago", record->exit_code,
                  output_human_duration(now - record->finished_s, since));
        break;
    default:
        if (record->exit_unknown) {
            table_set(table, COLUMN_STATUS, "Exited (unknown) %s ago: its monitor was killed",
                      output_human_duration(now - record->finished_s, since));
        } else if (record->finished_s) {
            char why[ENDING_TEXT_SIZE];
            ending_words(record, why);
            table_set(table, COLUMN_STATUS, "Exited (%d) %s ago%s%s%s", record->exit_code,
                      output_human_duration(now - record->finished_s, since), *why ? " (" : "", why, *why ? ")" : "");
        } else {
            table_set(table, COLUMN_STATUS, "Exited: its monitor was killed");
        }
    }
}

// Ports one after the other on both sides are one range, as docker shows them.
static void set_ports(struct table *table, const struct view *view) {
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0, next; i < view->ports_count; i = next) {
        const struct view_port *first = &view->ports[i], *last = first;
        for (next = i + 1; next < view->ports_count; next++) {
            const struct view_port *port = &view->ports[next];
            if (port->port != last->port + 1 || port->host_port != last->host_port + 1 || strcmp(port->host, last->host) != 0 ||
                strcmp(port->protocol, last->protocol) != 0) {
                break;
            }
            last = port;
        }
        bool six = strchr(first->host, ':') != NULL;
        buf_add_format(&text, "%s%s%s%s:%u", text.size > 0 ? ", " : "", six ? "[" : "", first->host, six ? "]" : "", first->host_port);
        if (last != first) {
            buf_add_format(&text, "-%u->%u-%u/%s", last->host_port, first->port, last->port, first->protocol);
        } else {
            buf_add_format(&text, "->%u/%s", first->port, first->protocol);
        }
    }
    table_set(table, COLUMN_PORTS, "%s", buf_string(&text));
}

static void set_list(struct table *table, unsigned column, const char *const *items, size_t count) {
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "%s%s", i > 0 ? "," : "", items[i]);
    }
    table_set(table, column, "%s", buf_string(&text));
}

static void set_mounts(struct table *table, const struct view *view) {
    AUTO_BUF struct buf text = {0};
    unsigned volumes = 0;
    for (size_t i = 0; i < view->mounts.items_count; i++) {
        const struct volume *volume = &view->mounts.items[i];
        volumes += volume->kind == VOLUME_NAMED;
        if (volume->source) {
            buf_add_format(&text, "%s%s", text.size > 0 ? "," : "", volume->source);
        }
    }
    table_set(table, COLUMN_MOUNTS, "%s", buf_string(&text));
    table_set(table, COLUMN_VOLUMES, "%u", volumes);
}

static void set_networks(struct table *table, const struct view *view) {
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < view->networks_count; i++) {
        buf_add_format(&text, "%s%s", i > 0 ? "," : "", view->networks[i].name);
    }
    table_set(table, COLUMN_NETWORKS, "%s",
              view->networks_count > 0 ? buf_string(&text)
              : view->request.network  ? view->request.network
                                       : "none");
}

// What it has written, and with its image.
static void set_size(struct listing *listing, const struct view *view) {
    AUTO_IMAGE struct image *image = NULL;
    struct err gone;
    char path[RECORD_ID_SIZE + 8], own[OUTPUT_HUMAN_SIZE], with_image[OUTPUT_HUMAN_SIZE];
    snprintf(path, sizeof(path), "%.64s/upper", view->record.id);
    uint64_t bytes = tree_measure(listing->home.containers_fd, path), below = 0;
    if (image_look(listing->store, view->record.image_id, &image, &gone) == 0) {
        below = image->size_bytes;
    }
    table_set(&listing->table, COLUMN_SIZE, "%s (virtual %s)", output_human_size((int64_t)bytes, own),
              output_human_size((int64_t)(bytes + below), with_image));
}

static void set_created(struct table *table, const struct record *record) {
    char age[OUTPUT_HUMAN_SIZE], at[32] = "";
    struct tm parts;
    time_t created = record->created_s;
    if (localtime_r(&created, &parts)) {
        strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S %z %Z", &parts);
    }
    table_set(table, COLUMN_SINCE, "%s ago", output_human_duration(time(NULL) - record->created_s, age));
    table_set(table, COLUMN_AT, "%s", at);
}

static void add_row(struct listing *listing, const struct view *view, bool sizes) {
    struct table *table = &listing->table;
    const struct record *record = &view->record;
    table_row(table);
    table_set(table, COLUMN_ID, "%s", record->id);
    table_set(table, COLUMN_IMAGE, "%s", record->image);
    table_set(table, COLUMN_COMMAND, "\"%s\"", record->command);
    set_created(table, record);
    table_set(table, COLUMN_STATE, "%s", record_state_name(view->state));
    table_set(table, COLUMN_HEALTH, "%s", health_status_name(view->health));
    table_set(table, COLUMN_NAME, "%s", record->name);
    set_list(table, COLUMN_LABELS, (const char *const *)view->request.labels.items, view->request.labels.count);
    set_status(table, view);
    set_ports(table, view);
    set_mounts(table, view);
    set_networks(table, view);
    if (sizes) {
        set_size(listing, view);
    }
}

static int newest_first(const void *a, const void *b) {
    const struct view *left = a, *right = b;
    return record_order(&right->record, &left->record);
}

static bool is_shown(const struct ps_request *request, const struct container_filters *filters, const struct view *view) {
    return request->all || request->latest || request->last.set || filters->all ||
           (view->state != RECORD_CREATED && view->state != RECORD_EXITED);
}

static int64_t most(const struct ps_request *request) {
    return request->latest ? 1 : request->last.set && request->last.value >= 0 ? request->last.value : INT64_MAX;
}

// One that is on its way in or out while we look is nobody's affair; one that cannot be read is there all the same.
static void tell_failure(const struct home *home, const char *id, const struct err *failure) {
    if (failure->errnum != ENOENT && failure->kind != ERR_NOT_FOUND && record_exists(home, id)) {
        log_warn("%s; coffer rm %.12s removes it", failure->text, id);
    }
}

// All that pass, the newest first.
static int list(struct listing *listing, const struct ps_request *request, struct err *err) {
    struct arena *arena = &listing->context->arena;
    struct container_filters filters;
    const char **ids;
    if (container_filters_parse(listing->context, &listing->home, &request->filters, CONTAINER_FILTERS_PS, &filters, err) < 0 ||
        record_list(&listing->home, arena, &ids, err) < 0) {
        return -1;
    }
    size_t total = 0, count = 0;
    while (ids[total]) {
        total++;
    }
    struct view *views = arena_array(arena, total + 1, sizeof(*views));
    for (size_t i = 0; i < total; i++) {
        struct err failure = {0};
        if (view_read(&listing->home, arena, ids[i], &views[count], &failure) < 0) {
            tell_failure(&listing->home, ids[i], &failure);
        } else if (is_shown(request, &filters, &views[count]) && container_passes(&listing->home, &views[count], &filters)) {
            count++;
        }
    }
    if (count > 0) {
        qsort(views, count, sizeof(*views), newest_first);
    }
    for (size_t i = 0; i < count && (int64_t)i < most(request); i++) {
        add_row(listing, &views[i], request->sizes);
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct ps_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO(listing_finish) struct listing listing = {
        .context = context,
        .home = HOME_CLOSED,
        .table = {.columns = request->sizes ? columns_with_sizes : columns},
    };
    if (home_open(&engine, &listing.home, err) < 0) {
        return -1;
    }
    record_sweep(&listing.home);
    if (request->sizes && store_open(context->store_dir, context->rootless ? STORE_USER_XATTR : 0, &listing.store, err) < 0) {
        return -1;
    }
    return list(&listing, request, err) < 0 ? -1 : table_print(&listing.table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct ps_request, all, "Show ended containers too"),
    OPTION_LIST("filter", 'f', "KEY=VALUE", struct ps_request, filters,
                "Show only what matches: name=TEXT, id=ID, label=KEY[=VALUE], status=STATUS, exited=CODE, ancestor=IMAGE, "
                "before=CONTAINER, since=CONTAINER, volume=VOLUME, network=NETWORK, publish=PORT, expose=PORT, health=STATUS, is-task=BOOL, until=TIME"),
    OPTION_INT("last", 'n', "NUMBER", -1, INT64_MAX, struct ps_request, last, "Show so many that were made last, ended ones too"),
    OPTION_FLAG("latest", 'l', struct ps_request, latest, "Show the one that was made last"),
    OPTION_FLAG("size", 's', struct ps_request, sizes, "Show how large their files are"),
    OPTION_ROWS(list_option_rows, struct ps_request, list, struct list_options),
    {0},
};

const struct command command_ps = {
    .name = "ps",
    .aliases = "ls list",
    .summary = "List containers",
    .examples = "coffer ps --all\ncoffer ps --filter status=exited --filter label=tier=front\ncoffer ps -l --format '{{.Names}}: {{.Ports}}'",
    .group = COMMAND_GROUP_COMMON,
    .options = options,
    .request_size = sizeof(struct ps_request),
    .run = run,
};
