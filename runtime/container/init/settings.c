#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/procfs.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

int init_proc(struct init *init, struct err *err) {
    if (init->proc_fd < 0) {
        init->proc_fd = procfs_open(err);
    }
    return init->proc_fd;
}

// The link to the namespace that our children will be in: the one that unshare(2) has made.
static int open_new_time_namespace(int proc, struct err *err) {
    AUTO_FD int own = procfs_try_open_own(proc, "ns", O_PATH | O_DIRECTORY);
    int fd = own < 0 ? -1 : openat(own, "time_for_children", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open the new time namespace") : fd;
}

static int set_clocks(int proc, const char *offsets, struct err *err) {
    AUTO_FD int fd = procfs_try_open_own(proc, "timens_offsets", O_WRONLY);
    if (fd < 0 || write(fd, offsets, strlen(offsets)) < 0) {
        return err_sys(err, "set linux.timeOffsets%s", errno == ERANGE ? " (a clock would show a time before 0 or after 146 years)" : "");
    }
    return 0;
}

// Its clocks can be set only before anybody is in it, and unshare(2) leaves its caller outside (time_namespaces(7)). So it is made,
// set, and joined. Nor could it come with the clone: that shares the parent's memory, which is in one time namespace only.
static int make_time_namespace(struct init *init, struct err *err) {
    const char *offsets = init->plan->time_offsets;
    if (unshare(CLONE_NEWTIME) < 0) {
        return err_sys(err, "create a time namespace%s", errno == EINVAL ? " (this kernel has none)" : "");
    }
    int proc = init_proc(init, err);
    if (proc < 0 || (*offsets && set_clocks(proc, offsets, err) < 0)) {
        return -1;
    }
    AUTO_FD int namespace = open_new_time_namespace(proc, err);
    if (namespace < 0) {
        return -1;
    }
    return setns(namespace, CLONE_NEWTIME) < 0 ? err_sys(err, "join the new time namespace") : 0;
}

// The file for the command's label, while nothing of the container's own has run yet. The session keyring, made later, is for the command.
static int open_label(struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    int proc = init_proc(init, err);
    if (proc < 0) {
        return -1;
    }
    init->label_fd = lsm_open_exec_label((enum lsm)process->lsm, proc, err);
    if (init->label_fd < 0) {
        return -1;
    }
    return process->lsm == LSM_SELINUX && process->new_keyring ? lsm_set_key_label(proc, process->lsm_label, err) : 0;
}

int init_set_label(struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    if (process->lsm == LSM_NONE) {
        return 0;
    }
    int result = lsm_set_exec_label((enum lsm)process->lsm, init->label_fd, process->lsm_label, err);
    fd_close(&init->label_fd);
    return result;
}

int init_write_early_settings(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    // The handle for later, too: it cannot be had any more once the container's own /proc with its masks is all there is.
    if (plan->sysctl_count > 0 && init_proc(init, err) < 0) {
        return -1;
    }
    if (plan->process.lsm != LSM_NONE && open_label(init, err) < 0) {
        return -1;
    }
    return plan->time_offsets ? make_time_namespace(init, err) : 0;
}

int init_write_sysctls(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = 0; i < plan->sysctl_count; i++) {
        const struct plan_setting *setting = &plan->sysctls[i];
        char path[256], what[280];
        if (snprintf(path, sizeof(path), "sys/%s", setting->path) >= (int)sizeof(path)) {
            return err_set(err, ERR_INPUT, "sysctl %s: the name is too long", setting->path);
        }
        snprintf(what, sizeof(what), "sysctl %s", setting->path);
        if (procfs_write(init->proc_fd, path, setting->value, what, err) < 0) {
            return -1;
        }
    }
    return 0;
}
