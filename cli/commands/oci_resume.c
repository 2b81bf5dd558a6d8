#include "cli/commands/all.h"
#include "cli/context.h"
#include "runtime/container/container.h"

static int run(struct context *context, struct err *err) {
    return container_resume(context->oci_dir, context->operands[0], err);
}

const struct command command_oci_resume = {
    .name = "resume",
    .usage = "ID",
    .summary = "Let a paused container go on",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
