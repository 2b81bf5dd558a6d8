#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"

#include <stddef.h>

struct rm_request {
    bool force, volumes;
};

static int remove_one(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    const struct rm_request *request = context->request;
    return engine_remove(engine, name, request->force, request->volumes, err);
}

static int run(struct context *context, struct err *err) {
    return each_container(context, remove_one, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("force", 'f', struct rm_request, force, "Kill a running container first"),
    OPTION_FLAG("volumes", 'v', struct rm_request, volumes, "Remove its volumes that have no name, too"),
    {0},
};

const struct command command_rm = {
    .name = "rm",
    .usage = "CONTAINER...",
    .summary = "Remove containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct rm_request),
    .run = run,
};
