#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/hook.h"

int init_run_hooks(const struct plan_hook *hooks, size_t count, const char *state, struct err *err) {
    for (size_t i = 0; i < count; i++) {
        const struct hook hook = {
            .path = hooks[i].path,
            .args = hooks[i].args,
            .env = hooks[i].env,
            .timeout_s = hooks[i].timeout_s,
        };
        if (hook_run(&hook, state, err) < 0) {
            return -1;
        }
    }
    return 0;
}
