#include "cli/commands/each.h"

#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

int each_container(const struct context *context, each_act *act, struct err *err) {
    const struct engine engine = engine_of(context);
    struct err last = {0};
    for (int i = 0; i < context->operand_count; i++) {
        AUTO_BUF struct buf line = {0};
        struct err failure = {0};
        if (act(context, &engine, context->operands[i], &failure) < 0) {
            if (last.kind != ERR_NONE) {
                messages_error("coffer", last.text);
            }
            last = failure;
            continue;
        }
        buf_add_format(&line, "%s\n", context->operands[i]);
        if (output_write(&line, err) < 0) {
            return -1;
        }
    }
    if (last.kind != ERR_NONE) {
        *err = last;
        return -1;
    }
    return 0;
}
