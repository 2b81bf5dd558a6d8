// What the kernel keeps of a process beside its identity: how it is scheduled, where its memory comes from, what it takes itself for,
// whose keys it has. Set while init still has the rights that this may need.
#include "runtime/base/err.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/personality.h>

enum { IOPRIO_WHO_PROCESS = 1 };

// struct sched_attr of the kernel, first version; the C libraries have none, or clash with the kernel's header.
struct scheduler_attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static int set_scheduler(const struct plan_scheduler *scheduler, struct err *err) {
    const struct scheduler_attributes attributes = {
        .size = sizeof(attributes),
        .policy = scheduler->policy,
        .flags = scheduler->flags,
        .nice = scheduler->nice,
        .priority = scheduler->priority,
        .runtime = scheduler->runtime_ns,
        .deadline = scheduler->deadline_ns,
        .period = scheduler->period_ns,
    };
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) < 0) {
        const char *why = errno == EPERM ? " (real-time policies and a lower nice value need CAP_SYS_NICE on the host)" : "";
        return err_sys(err, "set process.scheduler%s", why);
    }
    return 0;
}

static int set_io_priority(uint32_t priority, struct err *err) {
    if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority) < 0) {
        const char *why = errno == EPERM ? " (IOPRIO_CLASS_RT needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host)" : "";
        return err_sys(err, "set process.ioPriority%s", why);
    }
    return 0;
}

// The kernel reads one bit less than it is told there are.
static int set_memory_policy(const struct plan_memory *memory, struct err *err) {
    unsigned long bits = memory->nodes_size ? memory->nodes_size * 8 + 1 : 0;
    if (syscall(SYS_set_mempolicy, (int)memory->mode, bits ? memory->nodes_bytes : NULL, bits) < 0) {
        const char *why = errno == EINVAL   ? " (does the host have these memory nodes, and its kernel this mode and these flags?)"
                          : errno == ENOSYS ? " (this kernel knows nothing of memory nodes)"
                                            : "";
        return err_sys(err, "set linux.memoryPolicy%s", why);
    }
    return 0;
}

// A kernel without keyrings, or a system call filter around all of us that denies them: then the container reaches no keys either.
static bool has_keyrings(int reason) {
    if (reason == ENOSYS) {
        return false;
    }
    return reason != EPERM || syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 || errno != EPERM;
}

// Without a session keyring of its own the container would have the caller's keys. One without a name, as one by name could be
// somebody else's who was there first.
int init_join_keyring(const struct init *init, struct err *err) {
    if (!init->plan->process.new_keyring || syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) {
        return 0;
    }
    int reason = errno;
    if (!has_keyrings(reason)) {
        init_warn(init, "this host has no keyrings to offer, so the container gets no session keyring");
        return 0;
    }
    const char *why = reason == EDQUOT ? " (raise kernel.keys.maxkeys and kernel.keys.maxbytes, or give --no-new-keyring)" : "";
    return err_num(err, reason, "make a session keyring%s", why);
}

int init_set_attributes(const struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    if ((process->scheduler.set && set_scheduler(&process->scheduler, err) < 0) ||
        (process->set_io_priority && set_io_priority(process->io_priority, err) < 0) ||
        (process->memory.set && set_memory_policy(&process->memory, err) < 0)) {
        return -1;
    }
    if (process->set_personality && personality(process->personality) < 0) {
        return err_sys(err, "set linux.personality");
    }
    return 0;
}
