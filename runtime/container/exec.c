#include "runtime/container/exec.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/dialogue.h"
#include "runtime/container/document.h"
#include "runtime/container/foreground.h"
#include "runtime/container/handover.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/container/launch.h"
#include "runtime/container/listener.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/container/removal.h"
#include "runtime/container/snapshot.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/affinity.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/namespace.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/userns.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWN_GROUPS_MAX_BYTES = 1 << 20 };

struct execution {
    const struct exec_options *options;
    struct arena arena;
    struct state_dir dir;
    struct container_record record;
    const struct oci_config *config; // the container's; NULL when it is not known
    struct oci_process process;      // the new one
    int init;                        // pidfd of the container's first process
    uint64_t joined;                 // namespaces, CLONE_NEW*
    struct container_plan plan;
    struct cgroup_host cgroup_host;
    struct cgroup cgroup;
    bool paused;
    bool drop_groups; // the caller's additional ones, before a namespace is joined where that is denied
    bool plan_sent;
    struct launched launched;
    int console; // the pty's master, -1
};

static void execution_finish(struct execution *execution) {
    fd_close(&execution->console);
    launched_finish(&execution->launched);
    cgroup_finish(&execution->cgroup);
    cgroup_host_finish(&execution->cgroup_host);
    container_plan_finish(&execution->plan);
    fd_close(&execution->init);
    state_dir_finish(&execution->dir);
    arena_finish(&execution->arena);
}
#define AUTO_EXECUTION AUTO(execution_finish)

// --- the container ---

static int find_container(struct execution *execution, struct err *err) {
    const struct exec_options *options = execution->options;
    struct oci_config *config = NULL;
    if (state_dir_open(options->root, options->id, &execution->dir, err) < 0 ||
        snapshot_read_both(&execution->dir, &execution->arena, &execution->record, &config, err) < 0) {
        return -1;
    }
    execution->config = config ? config : options->config;
    execution->init = execution->record.pid > 0 ? removal_open_process(&execution->record, err) : -1;
    if (execution->record.pid > 0 && execution->init < 0) {
        if (err->kind != ERR_STATE) {
            return -1;
        }
        return err_set(err, ERR_STATE, "cannot exec in a stopped container");
    }
    // Before its first process is in its root file system, whoever joined it would find himself in the host's.
    if (execution->init < 0 || !state_dir_is_whole(&execution->dir, &execution->record)) {
        return err_set(err, ERR_STATE, "the container is just being made; try again");
    }
    return 0;
}

// What the configuration names is the container's own or was joined, and is joined again; of the rest, and of the user namespace, which
// nobody may join who is in it, the kernel is asked.
static int find_namespaces(struct execution *execution, struct err *err) {
    const struct oci_config *config = execution->config;
    uint64_t listed = 0;
    for (size_t i = 0; config && i < config->os.namespaces_count; i++) {
        listed |= config->os.namespaces[i].type;
    }
    listed &= ~(uint64_t)CLONE_NEWUSER;
    uint64_t differing = 0;
    pid_t init = (pid_t)execution->record.pid;
    if (namespace_differing(init, namespace_all & ~listed, &differing, err) < 0) {
        bool ending = false;
        return (process_look(init, &ending) == 0 && errno == ESRCH) || ending ? err_set(err, ERR_STATE, "cannot exec in a stopped container") : -1;
    }
    execution->joined = listed | differing;
    return 0;
}

// --- its control group ---

static size_t line_count(const char *text) {
    size_t count = 0;
    for (; *text; text++) {
        count += *text == '\n';
    }
    return count;
}

static uint32_t controllers_named(char *names) {
    uint32_t mask = 0;
    char *state = NULL;
    for (char *name = strtok_r(names, ",", &state); name; name = strtok_r(NULL, ",", &state)) {
        uint32_t one = cgroup_controller_mask(name);
        if (one == 0) {
            return 0;
        }
        mask |= one;
    }
    return mask;
}

// "path", for all hierarchies, or "controller[,controller]:path".
static int descend(struct execution *execution, const char *wish, struct err *err) {
    uint32_t controllers = CGROUP_ALL;
    const char *path = wish, *colon = strchr(wish, ':');
    if (colon) {
        char *names = arena_copy(&execution->arena, wish, (size_t)(colon - wish));
        controllers = controllers_named(names);
        path = colon + 1;
        if (controllers == 0 || execution->cgroup_host.version == CGROUP_V2) {
            return err_set(err, ERR_INPUT, "--cgroup: expected %s, found \"%.256s\"",
                           controllers == 0 ? "names of controllers before the colon" : "a path alone, as cgroups are of version 2 here",
                           wish);
        }
    }
    // The container's own group.
    if (*path == '\0' || strcmp(path, "/") == 0) {
        return 0;
    }
    return cgroup_descend(&execution->cgroup, controllers, path, err) < 0 ? err_in(err, "--cgroup") : 0;
}

static int descend_all(struct execution *execution, struct err *err) {
    const struct strv *wishes = execution->options->cgroups;
    if (!wishes || wishes->count == 0) {
        return 0;
    }
    if (execution->cgroup.count == 0) {
        return err_set(err, ERR_STATE, "--cgroup: the container has no cgroup");
    }
    for (size_t i = 0; i < wishes->count; i++) {
        if (wishes->count > 1 && !strchr(wishes->items[i], ':')) {
            return err_set(err, ERR_INPUT, "--cgroup: more than one needs controllers before a colon in each, found \"%.256s\"",
                           wishes->items[i]);
        }
        if (descend(execution, wishes->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int find_cgroup(struct execution *execution, struct err *err) {
    const char *record = execution->record.cgroup;
    if (record) {
        if (removal_open_cgroup(&execution->record, &execution->cgroup_host, &execution->cgroup, err) < 0) {
            return -1;
        }
        // Its limits hold in its groups alone.
        if (execution->cgroup.count < line_count(record)) {
            return err_set(err, ERR_STATE, "a cgroup of the container is gone, and with it the limits of its processes");
        }
        execution->paused = cgroup_is_frozen(&execution->cgroup);
        if (execution->paused && !execution->options->ignore_paused) {
            const char *advice = execution->options->paused_advice;
            return err_set(err, ERR_STATE, "cannot exec in a paused container (use %s)", advice ? advice : "--ignore-paused to override");
        }
    }
    return descend_all(execution, err);
}

// A container that manages groups below its own, as systemd does, has no process in that one any more. Then the new one goes where the
// first process is, if that is below.
static int descend_to_init(struct execution *execution, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)execution->record.pid);
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(AT_FDCWD, path, OWN_GROUPS_MAX_BYTES, &text, &size, err) < 0) {
        return -1;
    }
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    const char *slash = line ? strchr(line, '/') : NULL;
    for (size_t i = 0; slash && i < execution->cgroup.count; i++) {
        const struct cgroup_dir *dir = &execution->cgroup.dirs[i];
        if ((dir->hierarchy->controllers & CGROUP_MASK(CGROUP_UNIFIED)) == 0) {
            continue;
        }
        const char *mounted = strcmp(dir->hierarchy->root, "/") == 0 ? "" : dir->hierarchy->root;
        size_t name = strlen(dir->hierarchy->name);
        const char *prefix = arena_format(&execution->arena, "%s/%s/", mounted, dir->path + name + (name > 0));
        const char *group = arena_copy(&execution->arena, slash, strcspn(slash, "\n"));
        if (strncmp(group, prefix, strlen(prefix)) == 0) {
            return cgroup_descend(&execution->cgroup, CGROUP_MASK(CGROUP_UNIFIED), group + strlen(prefix), err);
        }
    }
    return err_set(err, ERR_STATE, "no process may be in the container's cgroup %s, and its first one is not below it",
                   execution->cgroup.path);
}

// --- the plan ---

static int plan_affinity(struct execution *execution, struct err *err) {
    const struct oci_cpu_affinity *wish = execution->process.exec_cpu_affinity;
    if (!wish || !wish->final || !*wish->final) {
        return 0;
    }
    struct affinity *affinity = arena_alloc(&execution->plan.arena, sizeof(*affinity));
    execution->plan.init.affinity = affinity;
    execution->plan.init.affinity_size = sizeof(*affinity);
    return affinity_parse(wish->final, affinity, err) < 0 ? err_in(err, "process.execCPUAffinity.final") : 0;
}

// A user namespace may deny setgroups(2) for good (user_namespaces(7)): the caller's groups stay then.
static bool denies_groups(const struct execution *execution) {
    char path[64], text[8] = "";
    snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)execution->record.pid);
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof(text) - 1) >= 4 && strncmp(text, "deny", 4) == 0;
}

static int make_plan(struct execution *execution, struct err *err) {
    const struct exec_options *options = execution->options;
    static const struct oci_config none = {0};
    struct oci_config config = execution->config ? *execution->config : none;
    if (exec_process(options, execution->config, &execution->arena, &execution->process, err) < 0) {
        return -1;
    }
    config.process = &execution->process;
    const struct container_options container = {
        .config = &config,
        .user = options->named_user,
        .group_names = options->group_names,
        .kept_fds = options->kept_fds,
        .listen_fds = options->listen_fds,
        .listen_names = options->listen_names,
    };
    struct container_plan *plan = &execution->plan;
    plan->privileged = geteuid() == 0 && userns_is_initial();
    plan->init.start_socket = plan->init.created_lock = plan->init.root_fd = -1;
    if (container_plan_filter(&container, plan, err) < 0) {
        return -1;
    }
    if (container_plan_process(&container, plan, err) < 0) {
        return -1;
    }
    plan->init.process.unignored_signals = ~process_ignored_signals();
    plan->init.die_with_parent = options->die_with_parent;
    // The command does not run before its terminal has its size.
    plan->init.ask_before_pivot = plan->init.wait_for_go = plan->init.process.terminal;
    // Inside, /proc is the container's word.
    plan->init.ask_groups = false;
    bool own_users = plan->privileged && (execution->joined & CLONE_NEWUSER) == 0;
    plan->init.process.set_groups = own_users || !denies_groups(execution);
    execution->drop_groups = !plan->init.process.set_groups && geteuid() == 0;
    if (!plan->init.process.set_groups && plan->init.process.groups_size > 0) {
        log_warn("additional groups are not set, as the user namespace denies setgroups(2)");
    }
    if (plan->init.process.terminal && options->detach && !options->console_socket) {
        return err_set(err, ERR_INPUT, "a terminal of a detached process needs --console-socket");
    }
    if (!plan->init.process.terminal && options->console_socket) {
        return err_set(err, ERR_INPUT, "--console-socket: there is no terminal to send; add --tty");
    }
    return plan_affinity(execution, err);
}

// --- the process ---

static int stdio_of(const struct exec_options *options, int number) {
    return options->give_stdio ? options->give_stdio[number] : -1;
}

// The plan is sent before there is a process, so that it finds it at once; but not where something must be done with the process before, nor
// where it is held in a paused cgroup: if we are tired of waiting, nothing shall run when that is resumed.
static int launch_once(struct execution *execution, struct err *err) {
    const struct launch launch = {
        .cgroup_fd = execution->cgroup.count > 0 ? cgroup_birth_fd(&execution->cgroup) : -1,
        .stdio = {stdio_of(execution->options, 0), stdio_of(execution->options, 1), stdio_of(execution->options, 2)},
        .join_user = -1,
        .join_pid = -1,
        .join_process = execution->init,
        .join_namespaces = execution->joined,
        .kept_fds = execution->options->kept_fds,
        .drop_groups = execution->drop_groups,
        .die_with_parent = execution->options->die_with_parent,
        .set_oom_score = execution->plan.set_oom_score,
        .oom_score = execution->plan.oom_score,
    };
    struct launch_ready ready = LAUNCH_READY_NONE;
    int result = launch_make_ready(&ready, err);
    if (result == 0 && !execution->options->pidfd_socket && !execution->record.rdt && !execution->paused) {
        int sent = dialogue_offer_plan(ready.ours, &execution->plan, err);
        execution->plan_sent = sent > 0;
        result = sent < 0 ? -1 : 0;
    }
    if (result == 0) {
        result = launch_ready_init(&launch, &ready, &execution->launched, err);
    }
    launch_ready_finish(&ready);
    for (int i = 0; i < 3 && execution->options->give_stdio; i++) {
        fd_close(&execution->options->give_stdio[i]); // the end of a pipe shows when the command's is closed, so ours must be too
    }
    return result;
}

// The processors to start on are the parent's, since the child is born in the container's cgroup (runtime-spec, execCPUAffinity.initial).
static int launch_on_processors(struct execution *execution, struct err *err) {
    const struct oci_cpu_affinity *wish = execution->process.exec_cpu_affinity;
    if (!wish || !wish->initial || !*wish->initial) {
        return launch_once(execution, err);
    }
    struct affinity before, initial;
    if (affinity_parse(wish->initial, &initial, err) < 0 || affinity_get(&before, err) < 0 || affinity_set(&initial, err) < 0) {
        return err_in(err, "process.execCPUAffinity.initial");
    }
    int result = launch_once(execution, err);
    struct err unset;
    if (affinity_set(&before, result < 0 ? &unset : err) < 0 && result == 0) {
        launch_abort(&execution->launched);
        return -1;
    }
    return result;
}

// An ordinary user may not move a process from where he is to any group of his: only below one that was delegated to him with both in it
// (cgroups(7)). Where nothing is limited the new process stays with him; else it would have got away from the limits.
static int launch_outside(struct execution *execution, struct err *err) {
    const struct exec_options *options = execution->options;
    const struct container_options container = {.id = options->id, .config = execution->config};
    struct err unplanned;
    if (!execution->config || container_plan_limits(&container, &execution->plan, &unplanned) < 0 ||
        cgroup_limits_asked(&execution->plan.limits)) {
        return err_in(err, "the container's limits hold in its cgroup alone, which this user may not join from here (try systemd-run --user "
                           "--scope)");
    }
    cgroup_finish(&execution->cgroup);
    return launch_on_processors(execution, err);
}

static int launch(struct execution *execution, struct err *err) {
    int result = launch_on_processors(execution, err);
    bool own_choice = execution->options->cgroups && execution->options->cgroups->count > 0;
    if (result < 0 && err->errnum == EBUSY && execution->cgroup.count > 0 && !own_choice) {
        result = descend_to_init(execution, err) < 0 ? -1 : launch_on_processors(execution, err);
    }
    if (result < 0 && err->errnum == EACCES && execution->cgroup.count > 0 && !own_choice && !execution->plan.privileged) {
        result = launch_outside(execution, err);
    }
    return result;
}

static bool has_ended(int pidfd) {
    siginfo_t end = {0};
    return waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid != 0 && end.si_code == CLD_KILLED;
}

static int pass_listener_on(void *context, const struct channel_message *message, struct err *err) {
    const struct execution *execution = context;
    AUTO_BUF struct buf state = {0};
    container_document(&execution->dir, &execution->record, execution->config, OCI_STATUS_RUNNING, &state);
    const struct listener listener = {
        .seccomp = execution->config ? execution->config->os.seccomp : NULL,
        .channel = execution->launched.channel,
        .pidfd = execution->launched.pidfd,
        .pid = execution->launched.pid,
        .state = buf_string(&state),
    };
    return listener_pass_on(&listener, message, err);
}

// From the clone to where the command runs.
static int start(struct execution *execution, struct err *err) {
    const struct exec_options *options = execution->options;
    struct launched *launched = &execution->launched;
    const struct dialogue dialogue = {
        .channel = launched->channel,
        .console_socket = options->console_socket,
        .console = &execution->console,
        .listener_comes = pass_listener_on,
        .context = execution,
    };
    bool ended;
    // What the process is to be part of before it is the command, and who is to know it.
    const char *rdt = execution->record.rdt;
    if ((rdt && intel_rdt_join(rdt, execution->dir.id, launched->pid, err) < 0) ||
        (options->pidfd_socket && handover_send("--pidfd-socket", options->pidfd_socket, "setns", launched->pidfd, err) < 0) ||
        (!execution->plan_sent && dialogue_send_plan(launched->channel, &execution->plan, err) < 0) ||
        dialogue_serve(&dialogue, &ended, err) < 0) {
        return -1;
    }
    struct err gone;
    if (options->detach && has_ended(launched->pidfd) && removal_open_process(&execution->record, &gone) < 0) {
        return err_set(err, ERR_STATE, "the container has just ended");
    }
    return options->pid_file ? handover_pid_file(options->pid_file, launched->pid, err) : 0;
}

static void tell(const struct execution *execution) {
    if (!log_debugs()) {
        return;
    }
    AUTO_BUF struct buf names = {0};
    namespace_add_names(execution->joined, &names);
    log_debug("exec in container \"%s\" of process %lld: process %d joined namespaces %s, control group %s", execution->options->id,
              (long long)execution->record.pid, (int)execution->launched.pid, buf_string(&names),
              execution->cgroup.count > 0 ? execution->cgroup.path : "as its caller");
}

static int run(struct execution *execution, int *ret_status, struct err *err) {
    const struct exec_options *options = execution->options;
    if (start(execution, err) < 0) {
        launch_abort(&execution->launched);
        return -1;
    }
    tell(execution);
    if (options->detach) {
        if (options->ret_child) {
            *options->ret_child = (struct exec_child){execution->launched.pid, fd_take(&execution->launched.pidfd)};
        }
        *ret_status = 0;
        return 0;
    }
    struct foreground foreground = {
        .pidfd = execution->launched.pidfd,
        .console = execution->console,
        .input = STDIN_FILENO,
        .output = STDOUT_FILENO,
        .pipes = {-1, -1, -1},
        .pass_signals = true,
    };
    if (options->give_stdio) {
        memcpy(foreground.pipes, options->pipes, sizeof(foreground.pipes));
    }
    if (foreground_wait(&foreground, ret_status, err) < 0) {
        launch_abort(&execution->launched); // nobody would know of it
        return -1;
    }
    return 0;
}

static int launch_and_run(struct execution *execution, int *ret_status, struct err *err) {
    // In a paused container this waits until it is resumed; whoever is tired of that can interrupt us.
    if (execution->options->detach || execution->paused) {
        return launch(execution, err) < 0 ? -1 : run(execution, ret_status, err);
    }
    sigset_t before;
    if (foreground_block(&before, err) < 0) {
        return -1;
    }
    int result = launch(execution, err) < 0 ? -1 : run(execution, ret_status, err);
    foreground_unblock(&before);
    return result;
}

static bool is_units(const struct container_record *record) {
    return record->cgroup_manager && strcmp(record->cgroup_manager, cgroup_manager_systemd.name) == 0;
}

int container_exec(const struct exec_options *options, int *ret_status, struct err *err) {
    AUTO_EXECUTION struct execution execution = {
        .options = options,
        .dir = {.root_fd = -1, .fd = -1},
        .init = -1,
        .launched = {.pidfd = -1, .channel = -1},
        .console = -1,
    };
    if (handover_check_kept(options->kept_fds, err) < 0 || find_container(&execution, err) < 0 || find_namespaces(&execution, err) < 0 ||
        find_cgroup(&execution, err) < 0 || make_plan(&execution, err) < 0) {
        return -1;
    }
    // Below a unit it is systemd that kills, process by process; in a paused group a trial would not end.
    if (cgroup_was_there(&execution.cgroup) && !is_units(&execution.record) && !execution.paused) {
        cgroup_probe_birth(&execution.cgroup);
    }
    if (execution.cgroup.count > 0 && container_plan_join_cgroup(&execution.plan, &execution.cgroup, err) < 0) {
        return -1;
    }
    return launch_and_run(&execution, ret_status, err);
}
