#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static int run(struct context *context, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO_BUF struct buf line = {0};
    bool healthy;
    if (engine_check_health(&engine, context->operands[0], &healthy, err) < 0) {
        return -1;
    }
    if (healthy) {
        return 0;
    }
    buf_add_string(&line, "unhealthy\n");
    return output_write(&line, err) < 0 ? -1 : 1;
}

const struct command command_healthcheck_run = {
    .name = "run",
    .usage = "CONTAINER",
    .summary = "Check a container's health now",
    .description = "The exit code is 0 when the check succeeds, 1 when it fails, and 125 when there is none or it cannot be made. "
                   "It counts like any other check of the container.",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
