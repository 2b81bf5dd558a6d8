#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"

#include <stddef.h>

struct rm_request {
    bool force, volumes;
};

static int run(struct context *context, struct err *err) {
    const struct rm_request *request = context->request;
    const struct engine engine = engine_of(context);
    for (int i = 0; i < context->operand_count; i++) {
        AUTO_BUF struct buf line = {0};
        if (engine_remove(&engine, context->operands[i], request->force, request->volumes, err) < 0) {
            return -1;
        }
        buf_add_format(&line, "%s\n", context->operands[i]);
        if (output_write(&line, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static const struct option_row options[] = {
    OPTION_FLAG("force", 'f', struct rm_request, force, "Kill a running container first"),
    OPTION_FLAG("volumes", 'v', struct rm_request, volumes, "Remove its volumes that have no name, too"),
    {0},
};

const struct command command_rm = {
    .name = "rm",
    .usage = "CONTAINER...",
    .summary = "Remove containers",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct rm_request),
    .run = run,
};
