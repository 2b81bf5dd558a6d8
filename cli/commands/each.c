#include "cli/commands/each.h"

#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

// The errors before the last one are told at once.
static void keep_last(struct err *last, const struct err *failure) {
    if (last->kind != ERR_NONE) {
        messages_error("coffer", last->text);
    }
    *last = *failure;
}

static int tell_done(const char *name, struct err *err) {
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "%s\n", name);
    return output_write(&line, err);
}

static int end_with(const struct err *last, struct err *err) {
    if (last->kind != ERR_NONE) {
        *err = *last;
        return -1;
    }
    return 0;
}

int each_operand(const struct context *context, each_fn *act, void *data, struct err *err) {
    struct err last = {0};
    for (int i = 0; i < context->operand_count; i++) {
        struct err failure = {0};
        int result = act(data, context->operands[i], &failure);
        if (result < 0) {
            keep_last(&last, &failure);
        } else if (result == 0 && tell_done(context->operands[i], err) < 0) {
            return -1;
        }
    }
    return end_with(&last, err);
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

enum { TOGETHER = 64 }; // each has some descriptors open

static int do_together(const struct context *context, int first, const struct each_steps *steps, struct err *last, struct err *err) {
    const struct engine engine = engine_of(context);
    int count = context->operand_count - first < TOGETHER ? context->operand_count - first : TOGETHER, result = 0;
    void *begun[TOGETHER];
    struct err failures[TOGETHER] = {0};
    for (int i = 0; i < count; i++) {
        begun[i] = steps->begin(context, &engine, context->operands[first + i], &failures[i]);
    }
    for (int i = 0; i < count; i++) {
        if (!begun[i] || steps->finish(begun[i], &failures[i]) < 0) {
            keep_last(last, &failures[i]);
        } else if (result == 0) {
            result = tell_done(context->operands[first + i], err);
        }
    }
    return result;
}

int each_container_together(const struct context *context, const struct each_steps *steps, struct err *err) {
    struct err last = {0};
    for (int i = 0; i < context->operand_count; i += TOGETHER) {
        if (do_together(context, i, steps, &last, err) < 0) {
            return -1;
        }
    }
    return end_with(&last, err);
}
