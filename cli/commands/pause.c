#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"

static int pause_one(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    (void)context;
    return engine_pause(engine, name, true, err);
}

static int unpause_one(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    (void)context;
    return engine_pause(engine, name, false, err);
}

static int run(struct context *context, struct err *err) {
    return each_container(context, pause_one, err);
}

static int run_unpause(struct context *context, struct err *err) {
    return each_container(context, unpause_one, err);
}

const struct command command_pause = {
    .name = "pause",
    .usage = "CONTAINER...",
    .summary = "Hold containers where they stand",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};

const struct command command_unpause = {
    .name = "unpause",
    .usage = "CONTAINER...",
    .summary = "Let paused containers go on",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .run = run_unpause,
};
