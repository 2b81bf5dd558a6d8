#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/env.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/engine.h"

#include <stdbool.h>
#include <stddef.h>

struct exec_request {
    bool interactive, tty, detach, privileged;
    const char *user;
    const char *workdir;
    struct strv env, env_files;
};

static int run(struct context *context, struct err *err) {
    const struct exec_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_STRV struct strv env = {0};
    if (env_fill(&request->env_files, &request->env, &env, err) < 0) {
        return -1;
    }
    const struct engine_exec exec = {
        .command = (const char *const *)context->operands + 1,
        .command_count = (size_t)context->operand_count - 1,
        .interactive = request->interactive,
        .tty = request->tty,
        .detach = request->detach,
        .privileged = request->privileged,
        .user = request->user,
        .workdir = request->workdir,
        .env = &env,
    };
    int status;
    return engine_exec(&engine, context->operands[0], &exec, &status, err) < 0 ? -1 : status;
}

static const struct option_row options[] = {
    OPTION_FLAG("interactive", 'i', struct exec_request, interactive, "Keep standard input open"),
    OPTION_FLAG("tty", 't', struct exec_request, tty, "Give the command a terminal"),
    OPTION_FLAG("detach", 'd', struct exec_request, detach, "Do not wait for its end"),
    OPTION_STRING("user", 'u', "USER[:GROUP]", struct exec_request, user, "Run as a user of the container, by name or number"),
    OPTION_STRING("workdir", 'w', "DIR", struct exec_request, workdir, "Start in DIR of the container"),
    OPTION_LIST("env", 'e', "NAME=VALUE", struct exec_request, env, "Set a variable; NAME alone takes the caller's value"),
    OPTION_LIST("env-file", 0, "FILE", struct exec_request, env_files, "Read variables from FILE, one a line",
                .complete = COMPLETE_FILE),
    OPTION_FLAG("privileged", 0, struct exec_request, privileged, "Give all capabilities"),
    {0},
};

const struct command command_exec = {
    .name = "exec",
    .usage = "CONTAINER COMMAND [ARG...]",
    .summary = "Run one more command in a container",
    .description = "The exit code is the command's; 126 when it cannot be executed, 127 when there is none.",
    .flags = COMMAND_OPTIONS_FIRST,
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 2,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct exec_request),
    .run = run,
};
