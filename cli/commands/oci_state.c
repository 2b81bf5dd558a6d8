#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/container/container.h"

static int run(struct context *context, struct err *err) {
    AUTO_BUF struct buf document = {0};
    if (container_state(context->oci_dir, context->operands[0], &document, err) < 0) {
        return -1;
    }
    return output_write(&document, err);
}

const struct command command_oci_state = {
    .name = "state",
    .usage = "ID",
    .summary = "Print the state of a container as JSON",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .run = run,
};
