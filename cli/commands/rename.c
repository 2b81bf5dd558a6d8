#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"

static int run(struct context *context, struct err *err) {
    const struct engine engine = engine_of(context);
    return engine_rename(&engine, context->operands[0], context->operands[1], err);
}

const struct command command_rename = {
    .name = "rename",
    .usage = "CONTAINER NAME",
    .summary = "Give a container another name",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
