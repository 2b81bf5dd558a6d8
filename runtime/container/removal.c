#include "runtime/container/removal.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/document.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/container/opened.h"
#include "runtime/container/snapshot.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { REMOVE_TIMEOUT_MS = 10000 };

int removal_open_process(const struct container_record *record, struct err *err) {
    AUTO_FD int pidfd = sys_pidfd_open((pid_t)record->pid, 0);
    uint64_t started = pidfd < 0 ? 0 : process_start_time((pid_t)record->pid);
    if (started == 0 && errno != ESRCH) {
        return err_sys(err, "look for its process");
    }
    // 0 is written down where init had ended before it could be asked.
    if (started == 0 || started != record->start_time) {
        return err_set(err, ERR_STATE, "its process is not running any more");
    }
    return fd_take(&pidfd);
}

int removal_open_cgroup(const struct container_record *record, struct cgroup_host *host, struct cgroup *cgroup, struct err *err) {
    return cgroup_detect(host, err) < 0 || cgroup_open_record(host, record->cgroup, cgroup, err) < 0 ? -1 : 0;
}

static int kill_processes(const struct container_record *record, struct err *err) {
    AUTO_FD int pidfd = record->pid > 0 ? removal_open_process(record, err) : -1;
    if (record->pid > 0 && pidfd < 0 && err->kind != ERR_STATE) {
        return -1;
    }
    if (pidfd >= 0 && sys_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH) {
        return err_sys(err, "kill the container's process");
    }
    if (!record->cgroup) {
        return 0;
    }
    AUTO_CGROUP_HOST struct cgroup_host host = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    const struct cgroup_manager *manager = cgroup_manager_named(record->cgroup_manager, err);
    if (!manager || removal_open_cgroup(record, &host, &cgroup, err) < 0 || (cgroup.count > 0 && cgroup_kill(&cgroup, err) < 0)) {
        return -1;
    }
    cgroup_remove_left_parents(&host, record->cgroup);
    return manager->unmake(record->cgroup_path, &cgroup, REMOVE_TIMEOUT_MS, err);
}

int removal_finish(struct state_dir *dir, const struct container_record *record, struct err *err) {
    if (kill_processes(record, err) < 0 || (record->rdt && intel_rdt_remove(record->rdt, dir->id, false, err) < 0)) {
        return -1;
    }
    log_debug("remove container \"%s\" of process %lld, control group %s", dir->id, (long long)record->pid,
              record->cgroup_path ? record->cgroup_path : "none");
    return state_dir_remove(dir, err);
}

static void wait_and_remove(const struct container_record *record, const struct cgroup_manager *manager, struct cgroup *cgroup) {
    struct err err;
    int state = cgroup_wait_empty(cgroup, REMOVE_TIMEOUT_MS, &err);
    if (state < 0 || (state == 0 && manager->unmake(record->cgroup_path, cgroup, REMOVE_TIMEOUT_MS, &err) < 0)) {
        log_warn("%s", err.text);
    }
}

// What was not there before, by the note, goes as far as it is empty.
static void remove_deeper(const struct cgroup_host *host, const struct container_record *record, const struct cgroup_manager *manager) {
    struct err err;
    AUTO_CGROUP struct cgroup cgroup = {0};
    if (cgroup_open(host, record->cgroup_path, CGROUP_ALL, &cgroup, &err) == 0) {
        wait_and_remove(record, manager, &cgroup); // made by nobody, as far as this handle knows: only the waiting matters
    }
    cgroup_remove_deeper(host, record->cgroup_path, record->cgroup_there);
}

// What stands at the path that was written down is removed only when it is empty. Init, if it came that far, ends by itself: its
// maker's death closes the channel on which it waits for its plan.
static void remove_noted_cgroup(const struct state_dir *dir, const struct container_record *record) {
    struct err err;
    AUTO_CGROUP_HOST struct cgroup_host host = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    const struct cgroup_manager *manager = cgroup_manager_named(record->cgroup_manager, &err);
    if (!manager || cgroup_detect(&host, &err) < 0) {
        return;
    }
    if (record->cgroup_there) {
        remove_deeper(&host, record, manager);
    } else if (manager->find(&host, record->cgroup_path, dir->id, &cgroup, &err) == 0) {
        wait_and_remove(record, manager, &cgroup);
    }
}

void removal_unfinished(struct state_dir *dir) {
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    struct err err;
    bool noted = state_dir_read(dir, &arena, &record, &err) == 0;
    if (!noted && err.kind == ERR_SYSTEM) {
        log_warn("%s; the next command tries again", err.text);
        return; // else what it tells of would never be found
    }
    if (noted && record.cgroup_path) {
        remove_noted_cgroup(dir, &record);
    }
    if (noted && record.rdt && intel_rdt_remove(record.rdt, dir->id, true, &err) < 0) {
        log_warn("%s", err.text);
    }
    if (state_dir_remove(dir, &err) < 0) {
        log_warn("%s", err.text);
    }
}

int removal_delete(struct state_dir *dir, bool force, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    int result = state_dir_read(dir, &arena, &record, err);
    if (result < 0 && err->kind == ERR_SYSTEM) {
        return err_in(err, "delete");
    }
    if (result < 0 || record.pid == 0) {
        // No process in the state, and the lock is ours: its maker died.
        removal_unfinished(dir);
        return 0;
    }
    enum oci_status status = state_dir_status(dir, &record);
    if (status != OCI_STATUS_STOPPED && !force) {
        status = opened_status(dir, &record);
        return err_set(err, ERR_STATE, "delete container \"%s\": it is %s; stop it first, or use --force", dir->id,
                       oci_status_name(status));
    }
    struct oci_config *config = NULL;
    struct err hook_err;
    bool hooks = snapshot_read(dir, &arena, &config, &hook_err) == 0 && config;
    AUTO_BUF struct buf state = {0};
    container_document(dir, &record, config, OCI_STATUS_STOPPED, &state);
    if (removal_finish(dir, &record, err) < 0) {
        return err_in(err, "delete container \"%s\"", dir->id);
    }
    if (hooks && snapshot_run_hooks(config, OCI_HOOK_POSTSTOP, buf_string(&state), &hook_err) < 0) {
        log_warn("%s", hook_err.text);
    }
    return 0;
}
