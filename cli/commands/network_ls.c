#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/network.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"

#include <stddef.h>
#include <string.h>

struct ls_request {
    struct list_options list;
    struct strv filters;
};

enum {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_DRIVER,
    COLUMN_SCOPE,
    COLUMN_SUBNETS,
    COLUMN_AT,
    COLUMN_INTERNAL,
    COLUMN_IPV6,
    COLUMN_LABELS
};

static const struct table_column columns[] = {
    [COLUMN_ID] = {"ID", "NETWORK ID", TABLE_QUIET, 12},
    [COLUMN_NAME] = {"Name", "NAME"},
    [COLUMN_DRIVER] = {"Driver", "DRIVER"},
    [COLUMN_SCOPE] = {"Scope", "SCOPE"},
    [COLUMN_SUBNETS] = {"Subnets", "SUBNETS"},
    [COLUMN_AT] = {"CreatedAt", "CREATED AT", TABLE_HIDDEN},
    [COLUMN_INTERNAL] = {"Internal", "INTERNAL", TABLE_HIDDEN},
    [COLUMN_IPV6] = {"IPv6", "IPV6", TABLE_HIDDEN},
    [COLUMN_LABELS] = {"Labels", "LABELS", TABLE_HIDDEN},
    {0},
};

static void add_row(struct table *table, const struct network *network) {
    char subnets[2][SUBNET_TEXT_SIZE] = {"", ""}, at[32];
    AUTO_BUF struct buf labels = {0};
    if (network->ipv4.set) {
        subnet_format(&network->ipv4.subnet, subnets[0]);
    }
    if (network->ipv6.set) {
        subnet_format(&network->ipv6.subnet, subnets[1]);
    }
    for (size_t i = 0; i < network->labels_count; i++) {
        buf_add_format(&labels, "%s%s=%s", i ? "," : "", network->labels[i].name, network->labels[i].value);
    }
    table_row(table);
    table_set(table, COLUMN_ID, "%s", network->id);
    table_set(table, COLUMN_NAME, "%s", network->name);
    table_set(table, COLUMN_DRIVER, "%s", network_driver_name(network->driver));
    table_set(table, COLUMN_SCOPE, "local");
    table_set(table, COLUMN_SUBNETS, "%s%s%s", subnets[0], *subnets[0] && *subnets[1] ? "," : "", subnets[1]);
    table_set(table, COLUMN_AT, "%s", network_created(network, at));
    table_set(table, COLUMN_INTERNAL, "%s", network->internal ? "true" : "false");
    table_set(table, COLUMN_IPV6, "%s", network->ipv6.set ? "true" : "false");
    table_set(table, COLUMN_LABELS, "%s", buf_string(&labels));
}

static int run(struct context *context, struct err *err) {
    const struct ls_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_TABLE struct table table = {.columns = columns};
    struct network *networks;
    size_t count;
    if (network_filters_check(&request->filters, NETWORK_FILTERS_LS, err) < 0 || home_open(&engine, &home, err) < 0 ||
        network_list(&home, &context->arena, &networks, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct lease *leases;
        size_t used = 0;
        if (request->filters.count > 0 && lease_list(&home, &context->arena, networks[i].id, &leases, &used, err) < 0) {
            return -1;
        }
        if (network_passes(&networks[i], &request->filters, used > 0)) {
            add_row(&table, &networks[i]);
        }
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_LIST(
        "filter", 'f', "KEY=VALUE", struct ls_request, filters,
        "Show only what matches: name=TEXT, id=ID, driver=NAME, label=KEY[=VALUE], dangling=true, scope=local, type=custom"),
    OPTION_ROWS(list_option_rows, struct ls_request, list, struct list_options),
    {0},
};

const struct command command_network_ls = {
    .name = "ls",
    .aliases = "list",
    .summary = "List networks",
    .examples = "coffer network ls\ncoffer network ls --filter dangling=true -q",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = options,
    .request_size = sizeof(struct ls_request),
    .run = run,
};
