#include "cli/commands/all.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/kernel/names.h"

#include <signal.h>
#include <string.h>

struct kill_request {
    bool all;
};

static int run(struct context *context, struct err *err) {
    const struct kill_request *request = context->request;
    int number = context->operand_count > 1 ? name_signal(context->operands[1]) : SIGTERM;
    if (context->operand_count > 1 && strcmp(context->operands[1], "0") == 0) {
        number = 0; // sends nothing, but fails where there is nobody to send to
    }
    if (number < 0) {
        return err_set(err, ERR_INPUT, "unknown signal \"%s\"; expected a name such as TERM or KILL, or a number from 1 to %d",
                       context->operands[1], SIGNAL_MAX);
    }
    return container_kill(context->oci_dir, context->operands[0], number, request->all, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct kill_request, all, "Send the signal to all processes of the container"),
    {0},
};

const struct command command_oci_kill = {
    .name = "kill",
    .usage = "ID [SIGNAL]",
    .summary = "Send a signal to a container [default TERM]",
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct kill_request),
    .run = run,
};
