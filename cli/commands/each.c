#include "cli/commands/each.h"

#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

int each_operand(const struct context *context, each_fn *act, void *data, struct err *err) {
    struct err last = {0};
    for (int i = 0; i < context->operand_count; i++) {
        AUTO_BUF struct buf line = {0};
        struct err failure = {0};
        int result = act(data, context->operands[i], &failure);
        if (result < 0) {
            if (last.kind != ERR_NONE) {
                messages_error("coffer", last.text);
            }
            last = failure;
            continue;
        }
        buf_add_format(&line, "%s\n", context->operands[i]);
        if (result == 0 && output_write(&line, err) < 0) {
            return -1;
        }
    }
    if (last.kind != ERR_NONE) {
        *err = last;
        return -1;
    }
    return 0;
}

struct acting {
    const struct context *context;
    struct engine engine;
    each_act *act;
};

static int act_on_container(void *data, const char *name, struct err *err) {
    const struct acting *acting = data;
    return acting->act(acting->context, &acting->engine, name, err);
}

int each_container(const struct context *context, each_act *act, struct err *err) {
    struct acting acting = {.context = context, .engine = engine_of(context), .act = act};
    return each_operand(context, act_on_container, &acting, err);
}
