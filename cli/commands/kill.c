#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/kernel/names.h"

#include <stddef.h>

struct kill_request {
    const char *signal;
};

static int act(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    const struct kill_request *request = context->request;
    int signal = name_signal(request->signal ? request->signal : "KILL");
    if (signal < 0) {
        return err_set(err, ERR_INPUT, "--signal: expected a name such as HUP or a number, found \"%s\"", request->signal);
    }
    return engine_kill(engine, name, signal, err);
}

static int run(struct context *context, struct err *err) {
    return each_container(context, act, err);
}

static const struct option_row options[] = {
    OPTION_STRING("signal", 's', "SIGNAL", struct kill_request, signal, "Send SIGNAL [default KILL]"),
    {0},
};

const struct command command_kill = {
    .name = "kill",
    .usage = "CONTAINER...",
    .summary = "Send a signal to containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct kill_request),
    .run = run,
};
