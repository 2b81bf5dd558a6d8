#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/engine/boot.h"
#include "specs/values.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

struct boot_request {
    struct list_options list;
    struct opt_i64 jobs, health_timeout_s;
    bool stop;
};

enum { COLUMN_NAME, COLUMN_ID, COLUMN_RESULT, COLUMN_TOOK, COLUMN_REASON, HEALTH_TIMEOUT_S = 300, HALT_S = 110, JOBS = 8, EXIT_SOME_FAILED = 1 };

static const struct table_column columns[] = {
    [COLUMN_NAME] = {"Name", "NAME", TABLE_QUIET},
    [COLUMN_ID] = {"ID", "CONTAINER ID", TABLE_HIDDEN, 12},
    [COLUMN_RESULT] = {"Result", "RESULT"},
    [COLUMN_TOOK] = {"Took", "TOOK"},
    [COLUMN_REASON] = {"Reason", "REASON"},
    {0},
};

static const char *const results[] = {
    [BOOT_STARTED] = "started",
    [BOOT_RUNS] = "runs already",
    [BOOT_FAILED] = "failed",
    [BOOT_SKIPPED] = "skipped",
};

static int halt(const struct engine *engine, struct err *err) {
    struct boot_halted halted;
    store_raise_descriptor_limit(); // one for each container
    if (boot_halt(engine, HALT_S * 1000, &halted, err) < 0) {
        return -1;
    }
    if (halted.untold > 0) {
        return err_set(err, ERR_STATE, "%zu of %zu containers could not be told to end, as said above, and %zu have not within %d s; coffer ps lists them, "
                       "coffer kill ends them", halted.untold, halted.count, halted.left, (int)HALT_S);
    }
    return halted.left == 0 ? 0
                            : err_set(err, ERR_STATE, "%zu of %zu containers have not ended within %d s; coffer ps lists them, coffer kill ends them",
                                      halted.left, halted.count, (int)HALT_S);
}

static int run(struct context *context, struct err *err) {
    const struct boot_request *request = context->request;
    const struct engine engine = engine_of(context);
    if (request->stop) {
        return halt(&engine, err);
    }
    AUTO_TABLE struct table table = {.columns = columns};
    struct boot boot;
    bool failed = false;
    int64_t jobs = request->jobs.set ? request->jobs.value : JOBS;
    int64_t health_s = request->health_timeout_s.set ? request->health_timeout_s.value : HEALTH_TIMEOUT_S;
    if (boot_plan(&engine, &context->arena, &boot, err) < 0 ||
        boot_run(&engine, &context->arena, &boot, (size_t)jobs, health_s * 1000, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < boot.count; i++) {
        const struct boot_item *item = &boot.items[i];
        table_row(&table);
        table_set(&table, COLUMN_NAME, "%s", item->name);
        table_set(&table, COLUMN_ID, "%s", item->id);
        table_set(&table, COLUMN_RESULT, "%s", results[item->result]);
        table_set(&table, COLUMN_TOOK, "%lld ms", (long long)item->took_ms);
        table_set(&table, COLUMN_REASON, "%s", item->reason);
        failed |= item->result == BOOT_FAILED || item->result == BOOT_SKIPPED;
    }
    return table_print(&table, &request->list, err) < 0 ? -1 : failed ? EXIT_SOME_FAILED : 0;
}

static const struct option_row options[] = {
    OPTION_INT("jobs", 'j', "N", 1, 64, struct boot_request, jobs, "Start at most N at once [default 8]"),
    OPTION_INT("health-timeout", 0, "SECONDS", 1, 86400, struct boot_request, health_timeout_s,
               "Wait at most so long for a container that others need to become healthy [default 300]"),
    OPTION_FLAG("stop", 0, struct boot_request, stop, "The host goes down: end all containers; those that shall run are started at the next boot"),
    OPTION_ROWS(list_option_rows, struct boot_request, list, struct list_options),
    {0},
};

const struct command command_boot = {
    .name = "boot",
    .summary = "Start the containers that shall run when the host has come up",
    .description = "Those with --restart always, and those with --restart unless-stopped that no user has stopped. The oldest comes first; "
                   "one waits for those whose network it shares or whose volumes it takes (--network container:NAME, --volumes-from), "
                   "and for those that its label " BOOT_LABEL_AFTER "=NAME,NAME names: until they are healthy, where they have a health "
                   "check. What runs already stays as it is.\n\n"
                   "`coffer generate systemd` prints the unit that calls this at each boot.\n\n"
                   "The exit code is 1 when a container could not be started.",
    .examples = "coffer boot\ncoffer run -d --restart always --name web --label " BOOT_LABEL_AFTER "=db web",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = options,
    .request_size = sizeof(struct boot_request),
    .run = run,
};
