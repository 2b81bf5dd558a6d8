#include "runtime/container/removal.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { REMOVE_TIMEOUT_MS = 10000 };

int removal_open_process(const struct container_record *record, struct err *err) {
    AUTO_FD int pidfd = sys_pidfd_open((pid_t)record->pid, 0);
    if (pidfd < 0 || process_start_time((pid_t)record->pid) != record->start_time) {
        return err_set(err, ERR_STATE, "its process is not running any more");
    }
    return fd_take(&pidfd);
}

int removal_open_cgroup(const struct container_record *record, struct cgroup_host *host, struct cgroup *cgroup, struct err *err) {
    return cgroup_detect(host, err) < 0 || cgroup_open_record(host, record->cgroup, cgroup, err) < 0 ? -1 : 0;
}

static int kill_processes(const struct container_record *record, struct err *err) {
    struct err gone;
    AUTO_FD int pidfd = record->pid > 0 ? removal_open_process(record, &gone) : -1;
    if (pidfd >= 0 && sys_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH) {
        return err_sys(err, "kill the container's process");
    }
    if (!record->cgroup) {
        return 0;
    }
    AUTO_CGROUP_HOST struct cgroup_host host = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    if (removal_open_cgroup(record, &host, &cgroup, err) < 0) {
        return -1;
    }
    if (cgroup.count > 0 && (cgroup_kill(&cgroup, err) < 0 || cgroup_remove(&cgroup, REMOVE_TIMEOUT_MS, err) < 0)) {
        return -1;
    }
    return 0;
}

int removal_finish(struct state_dir *dir, const struct container_record *record, struct err *err) {
    return kill_processes(record, err) < 0 ? -1 : state_dir_remove(dir, err);
}

// The path that was written down is removed only when its last name carries the container's id, and only when it is empty: a group
// that the configuration named may have been there before, with others' processes. Init, if it came that far, ends by itself: its
// maker's death closes the channel on which it waits for its plan.
static void remove_noted_cgroup(const struct state_dir *dir, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!strstr(name, dir->id)) {
        return;
    }
    struct err err;
    AUTO_CGROUP_HOST struct cgroup_host host = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    if (cgroup_detect(&host, &err) < 0 || cgroup_open(&host, path, CGROUP_ALL, &cgroup, &err) < 0) {
        return;
    }
    for (size_t i = 0; i < cgroup.count; i++) {
        cgroup.dirs[i].made = 1;
    }
    int state = cgroup_wait_empty(&cgroup, REMOVE_TIMEOUT_MS, &err);
    if (state < 0 || (state == 0 && cgroup_remove(&cgroup, REMOVE_TIMEOUT_MS, &err) < 0)) {
        log_warn("%s", err.text);
    }
}

void removal_unfinished(struct state_dir *dir) {
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    struct err err;
    if (state_dir_read(dir, &arena, &record, &err) == 0 && record.cgroup_path) {
        remove_noted_cgroup(dir, record.cgroup_path);
    }
    if (state_dir_remove(dir, &err) < 0) {
        log_warn("%s", err.text);
    }
}
