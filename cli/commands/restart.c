#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/kernel/names.h"
#include "specs/values.h"

#include <stddef.h>

struct restart_request {
    const char *signal;
    struct opt_i64 timeout;
};

static int act(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    const struct restart_request *request = context->request;
    int signal = request->signal ? name_signal(request->signal) : 0;
    if (signal < 0) {
        return err_set(err, ERR_INPUT, "--signal: expected a name such as TERM or a number, found \"%s\"", request->signal);
    }
    const struct engine_stop stop = {.signal = signal, .has_timeout = request->timeout.set, .timeout_s = request->timeout.value};
    struct engine_end end;
    if (engine_stop(engine, name, &stop, err) < 0 || engine_start(engine, name, &(struct engine_attach){0}, &end, err) < 0) {
        return -1;
    }
    engine_announce(engine, name, "restart");
    return 0;
}

static int run(struct context *context, struct err *err) {
    return each_container(context, act, err);
}

static const struct option_row options[] = {
    OPTION_STRING("signal", 's', "SIGNAL", struct restart_request, signal,
                  "Send SIGNAL first [default: the container's own, mostly SIGTERM]"),
    OPTION_INT("time", 't', "SECONDS", -1, 1 << 30, struct restart_request, timeout,
               "Kill it when it has not ended after SECONDS; -1: never [default 10]"),
    {0},
};

const struct command command_restart = {
    .name = "restart",
    .usage = "CONTAINER...",
    .summary = "Stop containers, and start them again",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct restart_request),
    .run = run,
};
