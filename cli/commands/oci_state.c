#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/container/container.h"

static int run(struct context *context, struct err *err) {
    AUTO_BUF struct buf document = {0};
    struct oci_state state;
    if (container_state(context->oci_dir, context->operands[0], &context->arena, &state, err) < 0) {
        return -1;
    }
    state.owner = ""; // as runc prints it; list tells the owner
    oci_state_write(&state, true, &document);
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
