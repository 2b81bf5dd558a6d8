#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/context.h"
#include "runtime/container/container.h"

#include <stddef.h>

static int run(struct context *context, struct err *err) {
    return container_start(context->oci_dir, context->operands[0], oci_notify_socket(), err);
}

const struct command command_oci_start = {
    .name = "start",
    .usage = "ID",
    .summary = "Start the command of a created container",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
