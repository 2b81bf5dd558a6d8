// Hooks of createContainer are programs of the host, found there, and furnish the container with init's rights. Those of startContainer are
// programs of the image: whoever made it chose what they do. They get the rights of the command, no more.
#include "runtime/base/err.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/hook.h"

#include <sys/stat.h>

static int run_hooks(struct init *init, const struct plan_hook *hooks, size_t count, const char *state, bool as_command, struct err *err) {
    int result = 0;
    mode_t ours = count > 0 ? umask(init->umask) : 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct hook hook = {
            .path = hooks[i].path,
            .args = hooks[i].args,
            .env = hooks[i].env,
            .timeout_s = hooks[i].timeout_s,
            .prepare = as_command ? init_become_hook : NULL,
            .context = init,
        };
        result = hook_run(&hook, state, err);
    }
    if (count > 0) {
        umask(ours);
    }
    return result;
}

int init_run_create_hooks(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    int result = run_hooks(init, plan->create_hooks, plan->create_hook_count, plan->state_creating, false, err);
    return result < 0 ? err_in(err, "createContainer") : 0;
}

int init_run_start_hooks(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    int result = run_hooks(init, plan->start_hooks, plan->start_hook_count, plan->state_created, true, err);
    return result < 0 ? err_in(err, "startContainer") : 0;
}
