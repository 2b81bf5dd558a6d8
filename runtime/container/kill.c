// kill, and the list of a container's processes.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/container/opened.h"
#include "runtime/container/removal.h"
#include "runtime/kernel/process_tree.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

// All of them, also those that its process has left behind where it did not have a pid namespace to itself.
static int signal_all(const struct opened *opened, int signal, struct err *err) {
    if (signal == SIGKILL) {
        return cgroup_kill(&opened->cgroup, err);
    }
    return cgroup_signal(&opened->cgroup, signal, err);
}

static bool is_empty(const struct opened *opened) {
    struct err unused;
    pid_t *pids = NULL;
    size_t count = 0;
    bool empty = opened->cgroup.count == 0 || (cgroup_pids(&opened->cgroup, &pids, &count, &unused) == 0 && count == 0);
    free(pids);
    return empty;
}

static int signal_process(const struct opened *opened, int pidfd, int signal, struct err *err) {
    if (sys_pidfd_send_signal(pidfd, signal) < 0) {
        return errno == ESRCH ? opened_not_running(opened, "kill", err) : err_sys(err, "kill container \"%s\"", opened->dir.id);
    }
    // The freezer of version 1 holds even those that are to die.
    return signal == SIGKILL && opened->status == OCI_STATUS_PAUSED ? cgroup_thaw(&opened->cgroup, err) : 0;
}

int container_kill(const char *root, const char *id, int signal, bool all, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    if (opened_find(&opened, root, id, err) < 0) {
        return -1;
    }
    if (opened.status == OCI_STATUS_CREATING) {
        return err_set(err, ERR_STATE, "kill container \"%s\": it is being created; delete --force ends that", id);
    }
    bool asked_for_all = all;
    // The end of a pid namespace's first process is the end of all in it; else SIGKILL means all, as with other runtimes.
    all = all || (signal == SIGKILL && !opened.record.own_pids);
    if ((all || signal == SIGKILL) && opened_take_cgroup(&opened, err) < 0) {
        return -1;
    }
    struct err gone;
    AUTO_FD int pidfd = opened.status == OCI_STATUS_STOPPED ? -1 : removal_open_process(&opened.record, &gone);
    if (pidfd < 0) {
        opened.status = OCI_STATUS_STOPPED;
        if (!all || is_empty(&opened)) {
            return asked_for_all ? 0 : opened_not_running(&opened, "kill", err);
        }
    }
    bool one = !all || opened.cgroup.count == 0;
    log_debug("kill container \"%s\": signal %d to %s %lld", id, signal, one ? "process" : "all of its control group, its first process",
              (long long)opened.record.pid);
    if (one) {
        return signal_process(&opened, pidfd, signal, err);
    }
    return signal_all(&opened, signal, err) < 0 ? err_in(err, "kill container \"%s\"", id) : 0;
}

int container_processes(const char *root, const char *id, pid_t **ret_pids, size_t *ret_count, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    if (opened_find(&opened, root, id, err) < 0 || opened_take_cgroup(&opened, err) < 0) {
        return -1;
    }
    if (!opened.record.cgroup && opened.record.own_pids && opened.status != OCI_STATUS_STOPPED) {
        *ret_count = process_list_namespace((pid_t)opened.record.pid, ret_pids);
        return 0;
    }
    if (!opened.record.cgroup) {
        return opened_need_cgroup(&opened, "to list processes by", err);
    }
    return cgroup_pids(&opened.cgroup, ret_pids, ret_count, err);
}
