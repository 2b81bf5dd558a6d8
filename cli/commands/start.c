#include "cli/commands/all.h"
#include "cli/commands/each.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct start_options {
    bool attach;
    bool interactive;
    bool pass_signals;
    const char *detach_keys;
};

static int act(const struct context *context, const struct engine *engine, const char *name, struct err *err) {
    (void)context;
    struct engine_end end;
    return engine_start(engine, name, &(struct engine_attach){0}, &end, err);
}

static int run(struct context *context, struct err *err) {
    const struct start_options *request = context->request;
    if (!request->attach && !request->interactive) {
        return each_container(context, act, err);
    }
    if (context->operand_count > 1) {
        return err_set(err, ERR_INPUT, "--attach: one container at a time");
    }
    const struct engine engine = engine_of(context);
    const struct engine_attach attach = {
        .output = true,
        .input = request->interactive,
        .pass_signals = request->pass_signals,
        .detach_keys = request->detach_keys,
    };
    struct engine_end end;
    return engine_start(&engine, context->operands[0], &attach, &end, err) < 0 ? -1 : end.goes_on ? 0 : engine_end_status(&end);
}

static const struct option_row options[] = {
    OPTION_FLAG("attach", 'a', struct start_options, attach, "Show its output, and end with its exit code"),
    OPTION_FLAG("interactive", 'i', struct start_options, interactive, "The same, and pass our input on"),
    OPTION_STRING("detach-keys", 0, "KEYS", struct start_options, detach_keys,
                  "Keys that leave the container running [ctrl-p,ctrl-q]"),
    OPTION_FLAG("sig-proxy", 0, struct start_options, pass_signals, "Pass signals to its command [default true]"),
    {0},
};

static const struct start_options defaults = {.pass_signals = true};

const struct command command_start = {
    .name = "start",
    .usage = "CONTAINER...",
    .summary = "Start containers that do not run",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct start_options),
    .request_defaults = &defaults,
    .run = run,
};
