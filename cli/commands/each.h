// Commands that do one thing to each container, network or volume that is named: one after the other, and the name of each is printed
// when it is done. What fails for one does not keep the others from it; the last error is the command's.
#ifndef COFFER_CLI_COMMANDS_EACH_H
#define COFFER_CLI_COMMANDS_EACH_H

#include "runtime/base/attr.h"

struct context;
struct engine;
struct err;

// 1: there was nothing to do, and nothing is printed.
typedef int each_fn(void *data, const char *name, struct err *err);

int each_operand(const struct context *context, each_fn *act, void *data, struct err *err) MUST_CHECK;

typedef int each_act(const struct context *context, const struct engine *engine, const char *name, struct err *err);

int each_container(const struct context *context, each_act *act, struct err *err) MUST_CHECK;

// The same for what takes its time: it is begun with all (with 64 at a time), before the first is waited for. begin returns NULL where it
// failed; finish gives back what begin returned.
struct each_steps {
    void *(*begin)(const struct context *context, const struct engine *engine, const char *name, struct err *err);
    int (*finish)(void *begun, struct err *err);
};

int each_container_together(const struct context *context, const struct each_steps *steps, struct err *err) MUST_CHECK;

#endif
