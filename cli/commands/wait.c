#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

enum { CONDITION_EXITED, CONDITION_HEALTHY };

struct wait_request {
    int condition;
};

static int wait_healthy(struct context *context, struct err *err) {
    const struct engine engine = engine_of(context);
    for (int i = 0; i < context->operand_count; i++) {
        if (engine_wait_healthy(&engine, context->operands[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct wait_request *request = context->request;
    const struct engine engine = engine_of(context);
    if (request->condition == CONDITION_HEALTHY) {
        return wait_healthy(context, err);
    }
    for (int i = 0; i < context->operand_count; i++) {
        AUTO_BUF struct buf line = {0};
        struct engine_end end;
        if (engine_wait(&engine, context->operands[i], &end, err) < 0) {
            return -1;
        }
        buf_add_format(&line, "%d\n", engine_end_status(&end));
        if (output_write(&line, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static const char *const conditions[] = {"exited", "healthy", NULL};

static const struct option_row options[] = {
    OPTION_CHOICE("condition", 0, "CONDITION", conditions, struct wait_request, condition,
                  "What to wait for: exited [default], or healthy, which prints nothing"),
    {0},
};

const struct command command_wait = {
    .name = "wait",
    .usage = "CONTAINER...",
    .summary = "Wait until containers do not run, and print their exit codes",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct wait_request),
    .run = run,
};
