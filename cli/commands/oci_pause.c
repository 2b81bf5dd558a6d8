#include "cli/commands/all.h"
#include "cli/context.h"
#include "runtime/container/container.h"

static int run(struct context *context, struct err *err) {
    return container_pause(context->oci_dir, context->operands[0], err);
}

const struct command command_oci_pause = {
    .name = "pause",
    .usage = "ID",
    .summary = "Stop all processes of a container where they stand",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
