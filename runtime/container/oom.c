#include "runtime/container/oom.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/removal.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

enum { LOOK_AGAIN_MS = 1, LOOKS = 200 };

static const char init_name[] = "coffer-init";

bool oom_is_init(const char *name) {
    return strcmp(name, init_name) == 0;
}

int oom_explain(const struct cgroup *cgroup, int64_t limit_bytes, struct err *err) {
    if (cgroup->count == 0 || limit_bytes <= 0) {
        return -1;
    }
    struct cgroup_stats stats;
    cgroup_read_stats(cgroup, &stats);
    if (stats.oom_kills != CGROUP_UNKNOWN && stats.oom_kills > 0) {
        // Engines look for the second half.
        err_set(err, ERR_INPUT, "memory limit of %" PRId64 " bytes is too small: container init was OOM-killed", limit_bytes);
    }
    return -1;
}

int oom_check_started(const struct container_record *record, int64_t limit_bytes, struct err *err) {
    char name[PROCESS_NAME_SIZE];
    struct err gone;
    AUTO_FD int pidfd = removal_open_process(record, &gone);
    // The channel is closed a moment before the name changes, and also by a death.
    for (int i = 0; pidfd >= 0 && i < LOOKS; i++) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        if (process_name((pid_t)record->pid, name) == 0 && !oom_is_init(name)) {
            return 0;
        }
        if (poll(&wait, 1, LOOK_AGAIN_MS) > 0) {
            break;
        }
    }
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    if (!record->cgroup || removal_open_cgroup(record, &host, &cgroup, &gone) < 0) {
        return 0;
    }
    *err = (struct err){0};
    oom_explain(&cgroup, limit_bytes, err);
    return err->kind == ERR_NONE ? 0 : -1;
}
