#include "runtime/container/supervise.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/container/create.h"
#include "runtime/container/options.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"
#include "specs/oci_config.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

struct supervised {
    const struct container_options *options;
    struct creation creation;
};

int container_supervise(const struct container_options *options, struct supervised **ret, struct err *err) {
    struct supervised *supervised = mem_alloc(sizeof(*supervised));
    *supervised = (struct supervised){.options = options, .creation = CREATION_NONE};
    if (creation_begin(&supervised->creation, options, false, false, err) < 0) {
        supervised_destroy(supervised);
        return -1;
    }
    if (creation_run_hooks(&supervised->creation, options, OCI_HOOK_POSTSTART, err) < 0) {
        creation_remove(&supervised->creation, options);
        supervised_destroy(supervised);
        return -1;
    }
    state_dir_finish(&supervised->creation.dir); // and its lock: from here on it is anybody's, by its id
    *ret = supervised;
    return 0;
}

pid_t supervised_pid(const struct supervised *supervised) {
    return supervised->creation.launched.pid;
}

int supervised_pidfd(const struct supervised *supervised) {
    return supervised->creation.launched.pidfd;
}

int supervised_console(const struct supervised *supervised) {
    return supervised->creation.console;
}

static bool ran_out_of_memory(const struct supervised *supervised) {
    struct cgroup_stats stats;
    if (supervised->creation.cgroup.count == 0 || !supervised->creation.plan.limits.memory_bytes.set) {
        return false;
    }
    cgroup_read_stats(&supervised->creation.cgroup, &stats);
    return stats.oom_kills != CGROUP_UNKNOWN && stats.oom_kills > 0;
}

int supervised_collect(struct supervised *supervised, struct supervised_end *ret, struct err *err) {
    struct launched *launched = &supervised->creation.launched;
    siginfo_t end = {0};
    process_reap(launched->pidfd, &end);
    launched->pid = -1;
    *ret = (struct supervised_end){
        .status = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status,
        .out_of_memory = ran_out_of_memory(supervised),
    };
    // By its id: somebody may have been quicker.
    return container_delete(supervised->options->root, supervised->options->id, true, err);
}

void supervised_destroy(struct supervised *supervised) {
    if (supervised) {
        creation_finish(&supervised->creation);
        free(supervised);
    }
}
