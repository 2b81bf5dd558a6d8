// One more command in a container that runs. The low level's exec carries its own descriptors; ours are the command's.
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/container/exec.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/stdio.h"
#include "runtime/engine/target.h"
#include "runtime/kernel/names.h"

int engine_exec(const struct engine *engine, const char *name, const struct engine_exec *exec, int *ret_status, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_STRV struct strv caps = {0};
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!target_runs(&target) || target_state(&target) == RECORD_RESTARTING) {
        return target_not_running(&target, "exec", name, err);
    }
    for (int i = 0; exec->privileged && name_of_capability(i); i++) {
        strv_add(&caps, name_of_capability(i));
    }
    AUTO(stdio_finish) struct stdio stdio = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    if (!exec->tty && stdio_open(&stdio, exec->interactive, err) < 0) {
        return -1;
    }
    const struct exec_options options = {
        .root = target.home.oci_root,
        .id = target.id,
        .args = exec->command,
        .arg_count = exec->command_count,
        .cwd = exec->workdir,
        .env = exec->env,
        .user = exec->user,
        .caps = &caps,
        .terminal = exec->tty,
        .detach = exec->detach,
        .give_stdio = exec->tty ? NULL : stdio.theirs,
        .pipes = {stdio.ours[0], stdio.ours[1], stdio.ours[2]},
    };
    int result = container_exec(&options, ret_status, err);
    if (options.give_stdio && options.pipes[0] >= 0) {
        stdio.ours[0] = -1; // taken, and closed at the end of our input
    }
    return result < 0 ? err_in(err, "exec %s", name) : 0;
}
