#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/hook.h"

#include <sys/stat.h>

int init_run_hooks(const struct init *init, const struct plan_hook *hooks, size_t count, const char *state, struct err *err) {
    int result = 0;
    mode_t ours = count > 0 ? umask(init->umask) : 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct hook hook = {
            .path = hooks[i].path,
            .args = hooks[i].args,
            .env = hooks[i].env,
            .timeout_s = hooks[i].timeout_s,
        };
        result = hook_run(&hook, state, err);
    }
    if (count > 0) {
        umask(ours);
    }
    return result;
}
