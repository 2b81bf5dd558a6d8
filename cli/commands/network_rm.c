#include "cli/ask.h"
#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/commands/network.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"

#include <stddef.h>

struct rm_request {
    bool force;
};

static int tell_deleted(const char *name, struct err *err) {
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "Deleted network: %s\n", name);
    return output_write(&line, err);
}

struct removing {
    struct context *context;
    struct home home;
};

static void removing_finish(struct removing *removing) {
    home_finish(&removing->home);
}

static int remove_one(void *data, const char *name, struct err *err) {
    struct removing *removing = data;
    const struct rm_request *request = removing->context->request;
    struct network network;
    if (network_find(&removing->home, &removing->context->arena, name, &network, err) == 0 &&
        network_remove(&removing->home, &network, err) == 0) {
        return 0;
    }
    return request->force && err->kind == ERR_NOT_FOUND ? 1 : -1;
}

static int run_rm(struct context *context, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO(removing_finish) struct removing removing = {.context = context, .home = HOME_CLOSED};
    if (home_open(&engine, &removing.home, err) < 0) {
        return -1;
    }
    leases_sweep(&removing.home);
    return each_operand(context, remove_one, &removing, err);
}

static const struct option_row rm_options[] = {
    OPTION_FLAG("force", 'f', struct rm_request, force, "A network that is not there is no error"),
    {0},
};

const struct command command_network_rm = {
    .name = "rm",
    .aliases = "remove",
    .usage = "NETWORK...",
    .summary = "Remove networks that no running container uses",
    .description = "The network called bridge is made anew by the next command that needs it, with a subnet that is free by then; make it "
                   "yourself before that to choose one.",
    .examples = "coffer network rm front\ncoffer network rm bridge && coffer network create --subnet 10.9.0.0/24 bridge",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_NETWORK,
    .options = rm_options,
    .request_size = sizeof(struct rm_request),
    .run = run_rm,
};

struct prune_request {
    bool force;
    struct strv filters;
};

static int run_prune(struct context *context, struct err *err) {
    const struct prune_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    struct network *networks;
    size_t count;
    bool yes;
    if (network_filters_check(&request->filters, NETWORK_FILTERS_PRUNE, err) < 0 || 
        ask_confirm(request->force, "This removes all networks that no running container uses.", &yes, err) < 0) {
        return -1;
    }
    if (!yes) {
        return 0;
    }
    if (home_open(&engine, &home, err) < 0 || network_list(&home, &context->arena, &networks, &count, err) < 0) {
        return -1;
    }
    leases_sweep(&home);
    for (size_t i = 0; i < count; i++) {
        struct err failed = {0};
        if (network_is_predefined(&networks[i]) || !network_passes(&networks[i], &request->filters, false)) {
            continue;
        }
        if (network_remove(&home, &networks[i], &failed) == 0) {
            if (tell_deleted(networks[i].name, err) < 0) {
                return -1;
            }
        } else if (failed.kind != ERR_STATE && failed.kind != ERR_NOT_FOUND) { // in use, or removed meanwhile
            *err = failed;
            return -1;
        }
    }
    return 0;
}

static const struct option_row prune_options[] = {
    OPTION_LIST("filter", 0, "FILTER", struct prune_request, filters,
                "Remove only what matches: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]"),
    OPTION_FLAG("force", 'f', struct prune_request, force, "Do not ask"),
    {0},
};

const struct command command_network_prune = {
    .name = "prune",
    .summary = "Remove all networks that no running container uses",
    .examples = "coffer network prune --force --filter until=24h",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = prune_options,
    .request_size = sizeof(struct prune_request),
    .run = run_prune,
};
