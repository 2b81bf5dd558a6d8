#include "cli/ask.h"
#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/commands/volume.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/strv.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/tree.h"

#include <stddef.h>

struct rm_request {
    bool force;
};

struct removing {
    bool force;
    struct home home;
};

static void removing_finish(struct removing *removing) {
    home_finish(&removing->home);
}

static int remove_one(void *data, const char *name, struct err *err) {
    const struct removing *removing = data;
    if (volume_remove(&removing->home, name, NULL, err) == 0) {
        return 0;
    }
    return removing->force && err->kind == ERR_NOT_FOUND ? 1 : -1;
}

static int run_rm(struct context *context, struct err *err) {
    const struct rm_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO(removing_finish) struct removing removing = {.force = request->force, .home = HOME_CLOSED};
    if (home_open(&engine, &removing.home, err) < 0) {
        return -1;
    }
    record_sweep(&removing.home); // who was killed keeps no volume
    return each_operand(context, remove_one, &removing, err);
}

static const struct option_row rm_options[] = {
    OPTION_FLAG("force", 'f', struct rm_request, force, "A volume that is not there is no error"),
    {0},
};

const struct command command_volume_rm = {
    .name = "rm",
    .aliases = "remove",
    .usage = "VOLUME...",
    .summary = "Remove volumes that no container has",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .options = rm_options,
    .request_size = sizeof(struct rm_request),
    .run = run_rm,
};

struct prune_request {
    bool force, all;
    struct strv filters;
};

static bool asks_for_named(const struct prune_request *request) {
    return request->all || strv_has(&request->filters, "all=true") || strv_has(&request->filters, "all=1");
}

int volumes_prune(struct context *context, bool named, const struct strv *filters, struct buf *buf, uint64_t *bytes, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_FD int volumes_fd = -1;
    struct stored_volume *volumes;
    size_t count;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if ((volumes_fd = volumes_open(&home, err)) < 0 || volumes_read(volumes_fd, &context->arena, &volumes, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct err failed = {0};
        if (!(volumes[i].anonymous || named) || !volume_passes(&volumes[i], filters, false)) {
            continue;
        }
        uint64_t size = tree_measure(volumes_fd, volumes[i].name);
        if (volume_remove(&home, volumes[i].name, NULL, &failed) == 0) {
            buf_add_format(buf, "Deleted volume: %s\n", volumes[i].name);
            *bytes += size;
        } else if (failed.kind != ERR_STATE && failed.kind != ERR_NOT_FOUND) { // in use, or removed meanwhile
            *err = failed;
            return -1;
        }
    }
    return 0;
}

// What was done is printed, whether it came to an end or not.
static int run_prune(struct context *context, struct err *err) {
    const struct prune_request *request = context->request;
    AUTO_BUF struct buf buf = {0};
    char size[OUTPUT_HUMAN_SIZE];
    struct err unwritten = {0};
    uint64_t bytes = 0;
    bool yes;
    const char *what = request->all ? "This removes all volumes that no container has."
                                    : "This removes all volumes without a name that no container has.";
    if (volume_filters_check(&request->filters, VOLUME_FILTERS_PRUNE, err) < 0 || ask_confirm(request->force, what, &yes, err) < 0) {
        return -1;
    }
    if (!yes) {
        return 0;
    }
    int result = volumes_prune(context, asks_for_named(request), &request->filters, &buf, &bytes, err);
    if (buf.size > 0) {
        buf_add_format(&buf, "Total reclaimed space: %s\n", output_human_size((int64_t)bytes, size));
    }
    if (output_write(&buf, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -1;
    }
    return result;
}

static const struct option_row prune_options[] = {
    OPTION_FLAG("all", 'a', struct prune_request, all, "Volumes with a name, too"),
    OPTION_LIST("filter", 0, "FILTER", struct prune_request, filters, "Remove only what matches: label=KEY[=VALUE], label!=KEY[=VALUE]"),
    OPTION_FLAG("force", 'f', struct prune_request, force, "Do not ask"),
    {0},
};

const struct command command_volume_prune = {
    .name = "prune",
    .summary = "Remove volumes without a name that no container has",
    .examples = "coffer volume prune --all --force --filter label=stage=test",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = prune_options,
    .request_size = sizeof(struct prune_request),
    .run = run_prune,
};
