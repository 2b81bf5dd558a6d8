#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/commands/run_rows.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/engine/request.h"

#include <stddef.h>
#include <string.h>

struct update_request {
    struct run_request changes;
};

static int update_one(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    const struct update_request *request = context->request;
    return engine_update(engine, name, &request->changes, err);
}

static int run(struct context *context, struct err *err) {
    static const struct update_request nothing = {0};
    if (memcmp(context->request, &nothing, sizeof(nothing)) == 0) {
        return err_set(err, ERR_INPUT, "update: expected a limit or --restart to change");
    }
    return each_container(context, update_one, err);
}

static const struct option_row options[] = {
    OPTION_STRING("restart", 0, "POLICY", struct update_request, changes.restart,
                  "Start it again when it has ended: no, on-failure[:MAX], always, unless-stopped"),
    OPTION_ROWS(change_limit_rows, struct update_request, changes, struct run_request),
    {0},
};

const struct command command_update = {
    .name = "update",
    .usage = "CONTAINER...",
    .summary = "Change limits and the restart policy of containers",
    .description = "What runs has the new limits at once, and each later start has them, too.",
    .examples = "coffer update --memory 1g --cpus 2 web\ncoffer update --restart unless-stopped web",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct update_request),
    .run = run,
};
