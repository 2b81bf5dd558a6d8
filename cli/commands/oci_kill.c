#include "cli/commands/all.h"
#include "cli/commands/oci_match.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/kernel/names.h"

#include <signal.h>
#include <string.h>

struct kill_request {
    bool all;
    bool regex;
};

// 0 is no signal, but kill(2) takes it, to ask whether there is a process.
static int signal_number(const struct context *context) {
    if (context->operand_count < 2) {
        return SIGTERM;
    }
    return strcmp(context->operands[1], "0") == 0 ? 0 : name_signal(context->operands[1]);
}

static int kill_one(struct context *context, const char *id, struct err *err) {
    const struct kill_request *request = context->request;
    return container_kill(context->oci_dir, id, signal_number(context), request->all, err);
}

static int run(struct context *context, struct err *err) {
    const struct kill_request *request = context->request;
    if (signal_number(context) < 0) {
        return err_set(err, ERR_INPUT, "unknown signal \"%s\"; expected a name such as TERM or KILL, or a number from 1 to %d",
                       context->operands[1], SIGNAL_MAX);
    }
    return request->regex ? oci_match(context, context->operands[0], kill_one, err) : kill_one(context, context->operands[0], err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct kill_request, all, "Send the signal to all processes of the container"),
    OPTION_FLAG("regex", 'r', struct kill_request, regex, "Signal all containers whose ids the regular expression in place of ID matches"),
    {0},
};

const struct command command_oci_kill = {
    .name = "kill",
    .usage = "ID [SIGNAL]",
    .summary = "Send a signal to a container [default TERM]",
    .examples = "coffer-oci kill web\ncoffer-oci kill web RTMIN+3\n# All that begin with test-\ncoffer-oci kill --regex '^test-' KILL",
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct kill_request),
    .run = run,
};
