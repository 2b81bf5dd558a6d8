#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/create.h"
#include "runtime/container/foreground.h"
#include "runtime/container/oom.h"
#include "runtime/container/options.h"
#include "runtime/kernel/process.h"
#include "specs/oci_config.h"

#include <signal.h>
#include <unistd.h>

static int wait_in_foreground(struct creation *creation, const struct container_options *options, int *ret_status,
                              char name[PROCESS_NAME_SIZE], struct err *err) {
    struct foreground foreground = {
        .pidfd = creation->launched.pidfd,
        .console = creation->console,
        .input = options->interactive ? STDIN_FILENO : -1,
        .output = STDOUT_FILENO,
        .pipes = {options->pipes[0], options->pipes[1], options->pipes[2]},
        .notify = &creation->notify,
        .pass_signals = options->pass_signals,
        .ret_name = creation->plan.limits.memory_bytes.set && !options->reaper ? name : NULL,
        .pid = creation->launched.pid,
    };
    return foreground_wait(&foreground, ret_status, err);
}

void creation_remove(struct creation *creation, const struct container_options *options) {
    creation_undo(creation);
    struct err err;
    if (creation_run_hooks(creation, options, OCI_HOOK_POSTSTOP, &err) < 0) {
        log_warn("%s", err.text);
    }
}

int creation_attend(struct creation *creation, const struct container_options *options, int *ret_status, struct err *err) {
    char name[PROCESS_NAME_SIZE] = "";
    int result = wait_in_foreground(creation, options, ret_status, name, err);
    if (result == 0) {
        creation->launched.pid = -1; // reaped
        fd_close(&creation->launched.pidfd);
    }
    if (result == 0 && *ret_status == 128 + SIGKILL && oom_is_init(name)) {
        err_set(err, ERR_STATE, "init was killed before it executed the command");
        result = oom_explain(&creation->cgroup, creation->plan.limits.memory_bytes.value, err);
    }
    if (result == 0 && options->keep) {
        return 0; // what there is of it is removed by `delete`
    }
    creation_remove(creation, options);
    return result;
}
