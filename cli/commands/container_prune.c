#include "cli/commands/container_prune.h"

#include "cli/ask.h"
#include "cli/commands/all.h"
#include "cli/commands/container_filter.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/tree.h"

struct prune_request {
    struct strv filters;
    bool force;
};

static int prune_one(const struct engine *engine, const struct home *home, const char *id, struct buf *buf, uint64_t *bytes,
                     struct err *err) {
    struct err failure = {0};
    uint64_t taken = tree_measure(home->containers_fd, id);
    if (engine_remove(engine, id, false, false, &failure) == 0) {
        buf_add_format(buf, "Deleted container: %s\n", id);
        *bytes += taken;
    } else if (failure.kind != ERR_NOT_FOUND && failure.kind != ERR_STATE) { // removed or started meanwhile
        *err = failure;
        return -1;
    }
    return 0;
}

int containers_prune(struct context *context, const struct strv *filters, struct buf *buf, uint64_t *bytes, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    struct container_filters parsed;
    const char **ids;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (container_filters_parse(context, &home, filters, CONTAINER_FILTERS_PRUNE, &parsed, err) < 0 ||
        record_list(&home, &context->arena, &ids, err) < 0) {
        return -1;
    }
    for (; *ids; ids++) {
        struct view view;
        struct err gone;
        if (view_read(&home, &context->arena, *ids, &view, &gone) < 0 || record_is_running(&home, *ids) ||
            (view.state != RECORD_CREATED && view.state != RECORD_EXITED) || !container_passes(&home, &view, &parsed)) {
            continue;
        }
        if (prune_one(&engine, &home, *ids, buf, bytes, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// What was done is printed, whether it came to an end or not.
static int run(struct context *context, struct err *err) {
    const struct prune_request *request = context->request;
    AUTO_BUF struct buf buf = {0};
    char text[OUTPUT_HUMAN_SIZE];
    uint64_t bytes = 0;
    bool yes;
    struct err unwritten = {0};
    if (ask_confirm(request->force, "This removes all containers that do not run.", &yes, err) < 0) {
        return -1;
    }
    if (!yes) {
        return 0;
    }
    int result = containers_prune(context, &request->filters, &buf, &bytes, err);
    if (buf.size > 0) {
        buf_add_format(&buf, "Total reclaimed space: %s\n", output_human_size((int64_t)bytes, text));
    }
    if (output_write(&buf, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -1;
    }
    return result;
}

static const struct option_row options[] = {
    OPTION_LIST("filter", 0, "FILTER", struct prune_request, filters,
                "Remove only what matches: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]"),
    OPTION_FLAG("force", 'f', struct prune_request, force, "Do not ask"),
    {0},
};

const struct command command_container_prune = {
    .name = "prune",
    .summary = "Remove all containers that do not run",
    .examples = "coffer container prune --force --filter until=24h",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = options,
    .request_size = sizeof(struct prune_request),
    .run = run,
};
