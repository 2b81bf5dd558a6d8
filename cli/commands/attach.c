#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "runtime/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct attach_options {
    const char *detach_keys;
    bool no_stdin;
    bool pass_signals;
};

static int run(struct context *context, struct err *err) {
    const struct attach_options *request = context->request;
    const struct engine engine = engine_of(context);
    const struct engine_attach attach = {
        .output = true,
        .input = !request->no_stdin,
        .pass_signals = request->pass_signals,
        .detach_keys = request->detach_keys,
    };
    struct engine_end end;
    return engine_attach(&engine, context->operands[0], &attach, &end, err) < 0 ? -1 : end.goes_on ? 0 : engine_end_status(&end);
}

static const struct option_row options[] = {
    OPTION_STRING("detach-keys", 0, "KEYS", struct attach_options, detach_keys,
                  "Keys that leave the container running [ctrl-p,ctrl-q]"),
    OPTION_FLAG("no-stdin", 0, struct attach_options, no_stdin, "Type nothing to it"),
    OPTION_FLAG("sig-proxy", 0, struct attach_options, pass_signals, "Pass signals to its command [default true]"),
    {0},
};

static const struct attach_options defaults = {.pass_signals = true};

const struct command command_attach = {
    .name = "attach",
    .usage = "CONTAINER",
    .summary = "Stand where its first command stood: its output, and its input",
    .description = "Several may be attached at once. The exit code is the container's, when it ends meanwhile.",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct attach_options),
    .request_defaults = &defaults,
    .run = run,
};
