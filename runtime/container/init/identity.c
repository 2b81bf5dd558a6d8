#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/cgroups.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/affinity.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/names.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

// v1: writing "0", one's own thread, spares the global lock that moving another process takes (since Linux 5.17).
static int join_cgroups(const struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = 0; i < plan->cgroup_fds_size / sizeof(int32_t); i++) {
        if (write(init_fd(init, plan->cgroup_fds_bytes[i]), "0", 1) != 1) {
            return err_sys(err, "join the container's cgroup");
        }
    }
    return 0;
}

static int bring_up_loopback(struct err *err) {
    LEFT_FD int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (socket_fd < 0 || ioctl(socket_fd, SIOCSIFFLAGS, &request) < 0) {
        return err_sys(err, "bring up the loopback interface");
    }
    return 0;
}

int init_join_namespaces(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    if (join_cgroups(init, err) < 0 || cgroups_find_own(init, err) < 0 || init_write_early_settings(init, err) < 0) {
        return -1;
    }
    if (plan->affinity_size == sizeof(struct affinity) && affinity_set(plan->affinity, err) < 0) {
        return err_in(err, "execCPUAffinity.final");
    }
    for (size_t i = 0; i < plan->join_count; i++) {
        if (setns(init_fd(init, plan->joins[i].fd), (int)plan->joins[i].type) < 0) {
            return err_sys(err, "join a namespace of the configuration");
        }
    }
    // Only now, in the container's cgroup: the namespace's root is the cgroup its maker is in.
    if (plan->new_cgroup_namespace && unshare(CLONE_NEWCGROUP) < 0) {
        return err_sys(err, "create a cgroup namespace");
    }
    return plan->new_network && !plan->late_network ? bring_up_loopback(err) : 0;
}

int init_take_network(struct init *init, struct err *err) {
    if (!init->plan->late_network || init->has_network) {
        return 0;
    }
    struct channel_message message;
    if (channel_receive(init->channel, &message, err) < 0) {
        return -1;
    }
    int result = 0;
    if (message.type != CHANNEL_NETWORK || message.fd_count != 1) {
        result = err_set(err, ERR_STATE, "the runtime ended before the network namespace was made");
    } else if (setns(message.fds[0], CLONE_NEWNET) < 0) {
        result = err_sys(err, "join the network namespace");
    }
    for (size_t i = 0; i < message.fd_count; i++) {
        init_leave_fd(&message.fds[i]);
    }
    init->has_network = result == 0;
    return result < 0 ? -1 : bring_up_loopback(err);
}

int init_name_host(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    if (plan->hostname && sethostname(plan->hostname, strlen(plan->hostname)) < 0) {
        return err_sys(err, "set the host name to %s", plan->hostname);
    }
    if (plan->domainname && setdomainname(plan->domainname, strlen(plan->domainname)) < 0) {
        return err_sys(err, "set the domain name to %s", plan->domainname);
    }
    return 0;
}

static int set_limits(const struct plan_process *process, struct err *err) {
    for (size_t i = 0; i < process->rlimit_count; i++) {
        const struct plan_rlimit *limit = &process->rlimits[i];
        struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
        if (setrlimit((int)limit->resource, &value) < 0) {
            const char *why = errno == EPERM ? " (the hard limit of the caller is lower)" : "";
            return err_sys(err, "set rlimit %s to %llu:%llu%s", name_of_rlimit((int)limit->resource),
                           (unsigned long long)limit->soft, (unsigned long long)limit->hard, why);
        }
    }
    return 0;
}

int init_take_terminal(struct init *init, struct err *err) {
    if (init->console_fd < 0) {
        return 0;
    }
    setsid(); // fails only where init leads a session already
    if (ioctl(init->console_fd, TIOCSCTTY, 0) < 0) {
        return err_sys(err, "make the pty the controlling terminal");
    }
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (dup2(init->console_fd, fd) < 0) {
            return err_sys(err, "put the terminal on descriptor %d", fd);
        }
    }
    fd_close(&init->console_fd);
    return 0;
}

static int set_ids(const struct plan_process *process, struct err *err) {
    if (process->set_groups &&
        syscall(SYS_setgroups, process->groups_size / sizeof(gid_t), process->groups_size ? process->groups_bytes : NULL) < 0) {
        return err_sys(err, "set the additional groups");
    }
    // The bare calls: those of the C library would signal threads that are not there.
    if (syscall(SYS_setresgid, process->gid, process->gid, process->gid) < 0) {
        return err_sys(err, "become group %u (is it mapped in the user namespace?)", process->gid);
    }
    if (syscall(SYS_setresuid, process->uid, process->uid, process->uid) < 0) {
        return err_sys(err, "become user %u (is it mapped in the user namespace?)", process->uid);
    }
    return 0;
}

// A capability that cannot be granted is a warning (runtime-spec 1.1, process.capabilities).
static void warn_ungranted(const struct init *init, uint64_t ungranted) {
    char text[512] = "capabilities that the caller does not have are not granted:";
    size_t used = strlen(text);
    for (int i = 0; i < CAPS_MAX; i++) {
        const char *name = name_of_capability(i);
        if (name && (ungranted >> i & 1)) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", name);
            if (used >= sizeof(text)) {
                break;
            }
        }
    }
    init_warn(init, text);
}

// A caller that ignores signals (nohup(1), a shell's background) must not make the command deaf to them. An ignored signal stays so
// over execve(2); all zeros is SIG_DFL. The bare call, as the C library keeps some signals for itself.
static void default_signals(uint64_t unignored) {
    const unsigned char action[64] = {0};
    for (int number = 1; number <= 64; number++) {
        if (!(unignored >> (number - 1) & 1)) {
            syscall(SYS_rt_sigaction, number, action, NULL, 8);
        }
    }
}

static void unblock_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Pipes that the caller made belong to him, and /dev/stderr opens them anew: the command's user may not. So they are given to him, as
// runc and crun do; what else may stand there, a file of the host or a terminal, is nobody's to give.
static void give_pipes(const struct plan_process *process) {
    struct stat status;
    for (int fd = STDIN_FILENO; process->uid != 0 && fd <= STDERR_FILENO; fd++) {
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && status.st_uid != process->uid) {
            // In a user namespace its owner may be none whose things can be given.
            (void)!fchown(fd, process->uid, (gid_t)-1);
        }
    }
}

// The filter is the container's own: it may deny whatever init still has to do. So it is loaded last, with nothing behind it but what
// cannot come earlier: with no_new_privs only execve(2); else CAP_SYS_ADMIN is needed to load it, and capset(2) follows.
// A hook of the command's side is a program of the image, like the command: it has no more rights (of its calls, those to be asked about are
// missing: the listener is for the command).
static int become_user(struct init *init, bool is_hook, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    const struct caps caps = {
        .bounding = process->caps.bounding,
        .effective = process->caps.effective,
        .permitted = process->caps.permitted,
        .inheritable = process->caps.inheritable,
        .ambient = process->caps.ambient,
    };
    if (!is_hook) {
        give_pipes(process);
    }
    int (*load_filter)(const struct init *, struct err *) = is_hook ? init_load_filter_alone : init_load_filter;
    bool filters_first = process->seccomp_size > 0 && !process->no_new_privileges;
    bool keep = process->uid != 0 && (filters_first || caps.permitted != 0);
    if (caps_before_ids(&caps, keep, err) < 0 || set_ids(process, err) < 0) {
        return -1;
    }
    // Where fs.suid_dumpable is 1 the change of ids has undone it, and whoever has this user in the container could take our descriptors.
    if (process->uid != 0 || process->gid != 0) {
        prctl(PR_SET_DUMPABLE, 0);
    }
    // A changed identity makes the kernel forget this one (prctl(2), PR_SET_PDEATHSIG).
    if (init->plan->die_with_parent && prctl(PR_SET_PDEATHSIG, 9) < 0) {
        return err_sys(err, "ask for the parent's death signal");
    }
    if (!is_hook && init_enter_directory(init, err) < 0) {
        return -1;
    }
    unblock_signals();
    if (filters_first && ((keep && caps_raise_kept(err) < 0) || load_filter(init, err) < 0)) {
        return -1;
    }
    uint64_t ungranted = 0;
    if (caps_after_ids(&caps, &ungranted, err) < 0) {
        return -1;
    }
    if (ungranted && !is_hook) {
        warn_ungranted(init, ungranted);
    }
    if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return err_sys(err, "set no_new_privs");
    }
    return filters_first ? 0 : load_filter(init, err);
}

int init_become_hook(void *context, struct err *err) {
    struct init *init = context;
    return init_restrict(init, err) < 0 || set_limits(&init->plan->process, err) < 0 ? -1 : become_user(init, true, err);
}

int init_take_identity(struct init *init, struct err *err) {
    const struct plan_process *process = &init->plan->process;
    // Here and not right before exec, where the filter may know nothing of it. What is opened after this is close-on-exec by birth.
    if (sys_close_range(3 + process->kept_fds, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0) {
        return err_sys(err, "mark all descriptors close-on-exec");
    }
    default_signals(process->unignored_signals);
    setsid(); // fails only where init leads a session already
    // While init is still root of its user namespace, which may do so without no_new_privs and reaches paths that the command's user may
    // not; and before its limits, as descriptors are needed.
    if (init_restrict(init, err) < 0 || init_take_terminal(init, err) < 0 || set_limits(process, err) < 0 || init_set_attributes(init, err) < 0) {
        return -1;
    }
    umask(process->set_umask ? process->umask : init->umask);
    return become_user(init, false, err);
}
