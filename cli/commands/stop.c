#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/kernel/names.h"
#include "specs/values.h"

#include <stddef.h>

struct stop_request {
    const char *signal;
    struct opt_i64 timeout;
};

static void *begin(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    const struct stop_request *request = context->request;
    int signal = request->signal ? name_signal(request->signal) : 0;
    if (signal < 0) {
        err_set(err, ERR_INPUT, "--signal: expected a name such as TERM or a number, found \"%s\"", request->signal);
        return NULL;
    }
    const struct engine_stop stop = {.signal = signal, .has_timeout = request->timeout.set, .timeout_s = request->timeout.value};
    return engine_stop_begin(engine, name, &stop, err);
}

static int finish(void *begun, struct err *err) {
    return engine_stop_finish(begun, err);
}

static int run(struct context *context, struct err *err) {
    return each_container_together(context, &(struct each_steps){begin, finish}, err);
}

static const struct option_row options[] = {
    OPTION_STRING("signal", 's', "SIGNAL", struct stop_request, signal,
                  "Send SIGNAL first [default: the container's own, mostly SIGTERM]"),
    OPTION_INT("time", 't', "SECONDS", -1, 1 << 30, struct stop_request, timeout,
               "Kill it when it has not ended after SECONDS; -1: never [default 10]"),
    {0},
};

const struct command command_stop = {
    .name = "stop",
    .usage = "CONTAINER...",
    .summary = "Stop containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct stop_request),
    .run = run,
};
