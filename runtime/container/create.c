#include "runtime/container/create.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/timestamp.h"
#include "runtime/container/cgroup_manager.h"
#include "runtime/container/dialogue.h"
#include "runtime/container/document.h"
#include "runtime/container/handover.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/container/launch.h"
#include "runtime/container/listener.h"
#include "runtime/container/notify.h"
#include "runtime/container/oom.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/container/snapshot.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/namespace.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { REMOVE_TIMEOUT_MS = 5000, PLAN_USUAL_BYTES = 8192, CGROUP_USUAL_BYTES = 2048 };

void creation_finish(struct creation *creation) {
    fd_close(&creation->console);
    fd_close(&creation->network);
    notify_finish(&creation->notify);
    launch_ready_finish(&creation->ready);
    launched_finish(&creation->launched);
    netdev_move_finish(&creation->net_devices);
    rdt_close(&creation->rdt);
    cgroup_finish(&creation->cgroup);
    container_plan_finish(&creation->plan);
    state_dir_finish(&creation->dir);
    arena_finish(&creation->arena);
}

// --- the cgroup ---

// Other tools expect the group in every hierarchy of version 1. Where nobody does, those with limits are enough, and the unified
// one of a hybrid host, which starts, kills and guards devices better than version 1 can.
static uint32_t v1_controllers(const struct creation *creation, const struct container_options *options) {
    uint32_t unified = CGROUP_MASK(CGROUP_UNIFIED);
    for (size_t i = 0; i < creation->plan.cgroup_host.count && options->few_hierarchies; i++) {
        if (creation->plan.cgroup_host.hierarchies[i].controllers & unified) {
            return (cgroup_limits_controllers(&creation->plan.limits) & ~CGROUP_MASK(CGROUP_DEVICES)) | unified;
        }
    }
    return CGROUP_ALL;
}

// A group right below another has what that gives; a folder has to be told what those in it are to be counted by. Disks are not what an
// ordinary user is given.
static uint32_t folder_controllers(const struct container_plan *plan) {
    return CGROUP_MASK(CGROUP_MEMORY) | CGROUP_MASK(CGROUP_PIDS) | CGROUP_MASK(CGROUP_CPU) | (plan->privileged ? CGROUP_MASK(CGROUP_IO) : 0);
}

// Without privilege and without limits a container runs where its user runs, if he may make no cgroup (container_options.rootless).
static int judge_cgroup(const struct creation *creation, struct err *err) {
    const struct container_plan *plan = &creation->plan;
    if (!plan->cgroup_required) {
        return 0;
    }
    return plan->privileged || plan->cgroup_manager->needs_process || !cgroup_limits_asked(&plan->limits) ? -1 : err_in(err, "set the limits");
}

// Whoever removes the container kills what is in its cgroup. So one that others' processes are in is never shared.
static int check_cgroup_is_free(struct creation *creation, struct err *err) {
    if (!cgroup_was_there(&creation->cgroup)) {
        return 0;
    }
    AUTO_FREE pid_t *pids = NULL;
    size_t count = 0;
    int result = cgroup_pids(&creation->cgroup, &pids, &count, err);
    if (result == 0 && count > 0) {
        result = err_set(err, ERR_STATE, "cgroup %s is in use: %zu processes are in it; give another linux.cgroupsPath",
                         creation->cgroup.path, count);
    }
    if (result < 0) {
        struct err unremoved;
        if (creation->plan.cgroup_manager->unmake(creation->plan.cgroup_path, &creation->cgroup, 0, &unremoved) < 0) {
            log_warn("%s", unremoved.text);
        }
        cgroup_finish(&creation->cgroup);
    }
    return result;
}

static void tell_cgroup(const struct creation *creation) {
    const struct container_plan *plan = &creation->plan;
    if (creation->cgroup.count == 0) {
        log_debug("no control group: none is made for this container");
        return;
    }
    log_debug("control group %s of version %d, by %s, %s", creation->cgroup.path, plan->cgroup_host.version == CGROUP_V1 ? 1 : 2,
              plan->cgroup_manager->name, cgroup_was_there(&creation->cgroup) ? "was there" : "made");
}

static int make_cgroup(struct creation *creation, const struct container_options *options, struct err *err) {
    struct container_plan *plan = &creation->plan;
    if (!plan->cgroup_path) {
        return 0;
    }
    if (container_plan_cgroup_host(plan, err) < 0) {
        return -1;
    }
    if (creation->plan.cgroup_host.version == CGROUP_NONE && !plan->cgroup_required) {
        return 0;
    }
    const struct cgroup_wish wish = {
        .id = options->id,
        .path = plan->cgroup_path,
        .folder = plan->cgroup_folder,
        .privileged = plan->privileged,
        .controllers = creation->plan.cgroup_host.version == CGROUP_V1 ? v1_controllers(creation, options)
                       : plan->cgroup_folder                           ? folder_controllers(plan)
                                                                       : 0,
        .limits = &plan->limits,
        .annotations = options->config->annotations,
        .annotations_count = options->config->annotations_count,
        .pid = plan->cgroup_manager->needs_process ? creation->launched.pid : 0,
    };
    if (plan->cgroup_manager->make(&creation->plan.cgroup_host, &wish, &creation->cgroup, err) < 0) {
        return judge_cgroup(creation, err);
    }
    // A service that put our process into the group has made it for this container.
    if (wish.pid == 0 && check_cgroup_is_free(creation, err) < 0) {
        return -1;
    }
    if (wish.pid == 0 && (cgroup_was_there(&creation->cgroup) || cgroup_births_were_killed())) {
        cgroup_probe_birth(&creation->cgroup);
    }
    return 0;
}

// A container that has its own user and cgroup namespaces and may write to its cgroup manages what is below it (runtime-spec, "Container
// cgroup ownership"): the group belongs to its process's user then. Not one that was there: it stays behind. Without root it is the
// caller's already, which is the container's root.
static int delegate_cgroup(const struct creation *creation, const struct container_options *options, struct err *err) {
    const struct container_plan *plan = &creation->plan;
    uint32_t owner, user = options->config->process ? options->config->process->user.uid : 0;
    if (!plan->cgroup_writable || !plan->init.new_cgroup_namespace || !(plan->namespaces & CLONE_NEWUSER) || !plan->opens_trees ||
        creation->plan.cgroup_host.version != CGROUP_V2 || creation->cgroup.count == 0 || cgroup_was_there(&creation->cgroup)) {
        return 0;
    }
    return idmap_outside(&plan->uids, user, &owner) ? cgroup_delegate(&creation->cgroup, owner, (gid_t)-1, err) : 0;
}

// Version 1 takes device rules one by one, beginning with none: init, which makes nodes, must not meet it half way. So there the limits
// are set before init has its plan; in version 2, where the rules change at once, while it works.
int creation_set_limits(struct creation *creation, bool before_plan, struct err *err) {
    const struct container_plan *plan = &creation->plan;
    if (creation->cgroup.count == 0 || before_plan != (creation->plan.cgroup_host.version == CGROUP_V1) ||
        plan->cgroup_manager->apply(plan->cgroup_path, &creation->cgroup, &plan->limits, err) == 0) {
        return 0;
    }
    return judge_cgroup(creation, err);
}

// --- what is written down ---

static const char *now(struct arena *arena) {
    char text[TIMESTAMP_SIZE];
    return arena_copy_string(arena, timestamp_format(timestamp_now(), text));
}

// What is known before anything is made: whoever finds only this knows what to look for. Until it is whole every container is
// attached to its maker: should that be killed, the next command removes what there is.
int creation_note(struct creation *creation, const struct container_options *options, struct err *err) {
    struct container_plan *plan = &creation->plan;
    // By the default path everybody sees whose the group is. A path that was asked for may be there, in part or whole, and stays so.
    bool asked = options->config->os.cgroups_path && plan->cgroup_path && *plan->cgroup_path == '/' && !plan->cgroup_manager->needs_process;
    char room[CGROUP_USUAL_BYTES];
    AUTO_BUF struct buf there = BUF_IN(room);
    if (asked && container_plan_cgroup_host(plan, err) < 0) {
        return -1;
    }
    if (asked) {
        cgroup_depths(&plan->cgroup_host, plan->cgroup_path, &there);
    }
    creation->record = (struct container_record){
        .bundle = options->bundle,
        .rootfs = creation->plan.init.root_path,
        .created = now(&creation->arena),
        .owner = creation->plan.opens_trees ? 0 : geteuid(),
        .own_pids = creation->plan.namespaces & CLONE_NEWPID,
        .attached = true,
        .cgroup_manager = creation->plan.cgroup_path ? creation->plan.cgroup_manager->name : NULL,
        .reaper = options->reaper,
        .cgroup_path = creation->plan.cgroup_path,
        .cgroup_there = asked ? arena_copy_string(&creation->arena, buf_string(&there)) : NULL,
        .rdt = intel_rdt_planned(options->config, options->id, &creation->arena),
    };
    return state_dir_write(&creation->dir, &creation->record, options->config_text, options->config_size, err);
}

int creation_detach(struct creation *creation, struct err *err) {
    creation->record.attached = false;
    if (state_dir_complete(&creation->dir, &creation->record, err) < 0) {
        return -1;
    }
    state_dir_settle(&creation->dir);
    return 0;
}

int creation_complete(struct creation *creation, struct err *err) {
    char room[CGROUP_USUAL_BYTES];
    AUTO_BUF struct buf cgroup = BUF_IN(room);
    if (creation->cgroup.count > 0) {
        cgroup_record(&creation->cgroup, &cgroup);
        creation->record.cgroup = arena_copy_string(&creation->arena, buf_string(&cgroup));
    }
    creation->record.start_time = process_start_time(creation->launched.pid);
    // Without it every later command would take the container for a stopped one.
    if (creation->record.start_time == 0 && errno != ESRCH) {
        return err_sys(err, "ask when the container's process has started");
    }
    return state_dir_complete(&creation->dir, &creation->record, err);
}

// --- talking to init ---

static int run_hooks(struct creation *creation, const struct container_options *options, enum oci_hook_kind kind,
                     enum oci_status status, struct err *err) {
    const struct oci_hook_list *list = &options->config->hooks[kind];
    if (list->items_count == 0) {
        return 0;
    }
    AUTO_BUF struct buf state = {0};
    container_document(&creation->dir, &creation->record, options->config, status, &state);
    return snapshot_run_hooks(options->config, kind, buf_string(&state), err);
}

int creation_run_early_hooks(struct creation *creation, const struct container_options *options, struct err *err) {
    if (run_hooks(creation, options, OCI_HOOK_PRESTART, OCI_STATUS_CREATING, err) < 0) {
        return -1;
    }
    return run_hooks(creation, options, OCI_HOOK_CREATE_RUNTIME, OCI_STATUS_CREATING, err);
}

// What init's caller does while init waits in its namespaces.
struct turn {
    struct creation *creation;
    const struct container_options *options;
};

static int run_early_hooks(void *context, struct err *err) {
    const struct turn *turn = context;
    return creation_run_early_hooks(turn->creation, turn->options, err);
}

static int pass_listener_on(void *context, const struct channel_message *message, struct err *err) {
    const struct turn *turn = context;
    const struct creation *creation = turn->creation;
    AUTO_BUF struct buf state = {0};
    container_document(&creation->dir, &creation->record, turn->options->config, OCI_STATUS_CREATED, &state);
    const struct listener listener = {
        .seccomp = turn->options->config->os.seccomp,
        .channel = creation->launched.channel,
        .pidfd = creation->launched.pidfd,
        .pid = creation->launched.pid,
        .state = buf_string(&state),
    };
    return listener_pass_on(&listener, message, err);
}

// Lets init go on to the container's own. Where there are hooks to run before, it asks for that itself.
static int release(struct creation *creation, struct err *err) {
    creation->released = true;
    fd_close(&creation->network); // it lives by its processes
    // Init has its own; ours would keep the lock on `created` and mounts alive.
    for (size_t i = 0; i < creation->plan.fd_count; i++) {
        fd_close(&creation->plan.fds[i]);
    }
    creation->plan.fd_count = 0;
    if (creation->plan.init.ask_before_pivot) {
        return 0;
    }
    if (channel_send(creation->launched.channel, CHANNEL_GO, NULL, 0, NULL, 0, err) < 0) {
        dialogue_last_words(creation->launched.channel, err);
        return -1;
    }
    return 0;
}

static int converse(struct creation *creation, const struct container_options *options, bool *ret_ended, struct err *err) {
    struct turn turn = {creation, options};
    const struct dialogue dialogue = {
        .channel = creation->launched.channel,
        .console_socket = options->console_socket,
        .console = &creation->console,
        .namespaces_made = run_early_hooks,
        .listener_comes = pass_listener_on,
        .context = &turn,
    };
    return dialogue_serve(&dialogue, ret_ended, err);
}

// --- all together ---

static int prepare_start(struct creation *creation, struct err *err) {
    struct init_plan *init = &creation->plan.init;
    int listener = state_dir_listen(&creation->dir, err);
    if (listener < 0 || container_plan_add_fd(&creation->plan, listener, &init->start_socket, err) < 0) {
        return -1;
    }
    int lock = state_dir_lock_created(&creation->dir, err);
    if (lock < 0 || container_plan_add_fd(&creation->plan, lock, &init->created_lock, err) < 0) {
        return -1;
    }
    init->wait_for_start = true;
    return 0;
}

static int open_user_namespace(const struct creation *creation, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", creation->launched.pid);
    int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open the container's user namespace") : fd;
}

static int stdio_of(const struct container_options *options, int number) {
    return options->give_stdio ? options->give_stdio[number] : -1;
}

static int launch(struct creation *creation, const struct container_options *options, bool attached, struct err *err) {
    struct container_plan *plan = &creation->plan;
    AUTO_FD int join_user = -1;
    AUTO_FD int join_pid = -1;
    if (plan->join_user && (join_user = container_plan_open_namespace(plan->join_user, CLONE_NEWUSER, err)) < 0) {
        return -1;
    }
    if (plan->join_pid && (join_pid = container_plan_open_namespace(plan->join_pid, CLONE_NEWPID, err)) < 0) {
        return -1;
    }
    const struct launch launch = {
        .namespaces = plan->namespaces,
        .uids = plan->uids,
        .gids = plan->gids,
        .cgroup_fd = creation->cgroup.count > 0 ? cgroup_birth_fd(&creation->cgroup) : -1,
        .stdio = {stdio_of(options, 0), stdio_of(options, 1), stdio_of(options, 2)},
        .join_user = join_user,
        .join_pid = join_pid,
        .join_process = -1,
        .kept_fds = options->kept_fds,
        .die_with_parent = attached,
        .set_oom_score = plan->set_oom_score,
        .oom_score = plan->oom_score,
    };
    int result = launch_ready_init(&launch, &creation->ready, &creation->launched, err);
    creation->record.pid = creation->launched.pid;
    if (result == 0) {
        log_debug("init of container \"%s\" is process %d", options->id, (int)creation->launched.pid);
    }
    for (int i = 0; i < 3 && options->give_stdio; i++) {
        fd_close(&options->give_stdio[i]); // the end of a pipe shows when the container's is closed, so ours must be too
    }
    return result;
}

static int complete_plan(struct creation *creation, const struct container_options *options, struct err *err) {
    struct container_plan *plan = &creation->plan;
    AUTO_FD int userns = -1;
    plan->init.process.unignored_signals = ~process_ignored_signals();
    if (plan->needs_userns) {
        userns = open_user_namespace(creation, err);
        if (userns < 0) {
            return -1;
        }
    }
    if (container_plan_open_trees(options, plan, userns, err) < 0) {
        return -1;
    }
    if (plan->init.create_hook_count > 0 || plan->init.start_hook_count > 0) {
        AUTO_BUF struct buf creating = {0};
        AUTO_BUF struct buf created = {0};
        container_document(&creation->dir, &creation->record, options->config, OCI_STATUS_CREATING, &creating);
        container_document(&creation->dir, &creation->record, options->config, OCI_STATUS_CREATED, &created);
        plan->init.state_creating = arena_copy_string(&plan->arena, buf_string(&creating));
        plan->init.state_created = arena_copy_string(&plan->arena, buf_string(&created));
    }
    return 0;
}

// What only a process can tell goes into some plans: its user namespace, its number for hooks, its place in a service's group. And the
// network devices that it is given are there before it sets anything of theirs (linux.sysctl).
static bool plan_needs_process(const struct container_plan *plan) {
    return (plan->namespaces & CLONE_NEWUSER) || plan->needs_userns || plan->cgroup_manager->needs_process ||
           plan->init.create_hook_count > 0 || plan->init.start_hook_count > 0 || plan->net_device_count > 0;
}

// Init finds its plan waiting where that can be, and need not wait itself.
static int hand_plan(struct creation *creation, const struct container_options *options, bool has_process, struct err *err) {
    struct container_plan *plan = &creation->plan;
    if (creation->plan_sent || (!has_process && plan_needs_process(plan))) {
        return 0;
    }
    if (!creation->plan_complete && complete_plan(creation, options, err) < 0) {
        return -1;
    }
    creation->plan_complete = true;
    int sent = has_process ? dialogue_send_plan(creation->launched.channel, plan, err) : dialogue_offer_plan(creation->ready.ours, plan, err);
    creation->plan_sent = has_process || sent > 0;
    return sent < 0 ? -1 : 0;
}

// The group, before the container's process where the manager can do so: then the process is born in it.
int creation_place(struct creation *creation, const struct container_options *options, bool has_process, struct err *err) {
    if (creation->plan.cgroup_manager->needs_process != has_process) {
        return 0;
    }
    if (make_cgroup(creation, options, err) < 0 || delegate_cgroup(creation, options, err) < 0) {
        return -1;
    }
    tell_cgroup(creation);
    if (creation->cgroup.count > 0 && container_plan_join_cgroup(&creation->plan, &creation->cgroup, err) < 0) {
        return -1;
    }
    return creation_set_limits(creation, true, err);
}

int creation_enter_class(struct creation *creation, const struct container_options *options, struct err *err) {
    if (creation->rdt.fd < 0) {
        return 0;
    }
    if (intel_rdt_enter(&creation->rdt, options->config, options->id, creation->launched.pid, &creation->rdt_group, err) < 0) {
        return -1;
    }
    creation->record.rdt = intel_rdt_record(&creation->rdt_group, &creation->arena);
    return 0;
}

static int make_notify(struct creation *creation, const struct container_options *options, bool wait_for_start, struct err *err) {
    if (notify_make_folder(&creation->dir, err) < 0) {
        return -1;
    }
    return wait_for_start ? 0 : notify_open(&creation->dir, options->notify_socket, &creation->notify, err);
}

static void tell_plan(const struct creation *creation, const struct container_options *options) {
    const struct container_plan *plan = &creation->plan;
    if (!log_debugs()) {
        return;
    }
    AUTO_BUF struct buf names = {0};
    // Not all are made by the clone.
    namespace_add_names(plan->namespaces | (plan->init.late_network ? CLONE_NEWNET : 0) | (plan->init.new_cgroup_namespace ? CLONE_NEWCGROUP : 0),
                        &names);
    log_debug("create container \"%s\" of bundle %s: new namespaces %s; %zu joined; %zu mounts, %zu devices, %zu trees of the host to open",
              options->id, options->bundle, buf_string(&names), plan->init.join_count + (plan->join_pid != NULL) + (plan->join_user != NULL),
              plan->init.mount_count, plan->init.device_count, plan->tree_count);
}

static int create(struct creation *creation, const struct container_options *options, bool wait_for_start, bool attached,
                  struct err *err) {
    bool ended = false;
    if (handover_check_kept(options->kept_fds, err) < 0 || container_plan_build(options, &creation->plan, err) < 0 || container_plan_filter(options, &creation->plan, err) < 0 ||
        (options->config->os.intel_rdt && rdt_open(&creation->rdt, err) < 0) ||
        state_dir_create(options->root, options->id, &creation->dir, err) < 0) {
        return -1;
    }
    creation->dir_made = true;
    tell_plan(creation, options);
    if (options->notify_socket && make_notify(creation, options, wait_for_start, err) < 0) {
        return -1;
    }
    if (creation_note(creation, options, err) < 0 || container_plan_open_namespaces(&creation->plan, err) < 0 ||
        creation_place(creation, options, false, err) < 0 || (wait_for_start && prepare_start(creation, err) < 0)) {
        return -1;
    }
    creation->plan.init.wait_for_go = true;
    creation->plan.init.die_with_parent = attached;
    // Init does its part of the work, which is most of it, while the record is completed and the limits are set; then it waits for GO.
    // Should we be killed before that, it finds the channel closed and ends, and its cgroup is known from the intent.
    if (launch_make_ready(&creation->ready, err) < 0 || hand_plan(creation, options, false, err) < 0 ||
        launch(creation, options, attached, err) < 0 || creation_enter_class(creation, options, err) < 0 ||
        creation_place(creation, options, true, err) < 0 || hand_plan(creation, options, true, err) < 0 ||
        creation_make_network(creation, options, err) < 0 || creation_complete(creation, err) < 0 || creation_set_limits(creation, false, err) < 0 ||
        release(creation, err) < 0 || converse(creation, options, &ended, err) < 0) {
        return -1;
    }
    if (wait_for_start && ended) {
        return err_set(err, ERR_STATE, "init ended before the container was created");
    }
    if (options->pidfd_socket &&
        handover_send("--pidfd-socket", options->pidfd_socket, "standard", creation->launched.pidfd, err) < 0) {
        return -1;
    }
    if ((attached && !options->keep ? state_dir_mark_whole(&creation->dir, err) : creation_detach(creation, err)) < 0 ||
        (options->pid_file && handover_pid_file(options->pid_file, creation->launched.pid, err) < 0)) {
        return -1;
    }
    creation->done = true;
    netdev_move_finish(&creation->net_devices); // they stay there, whatever comes: the namespace must not outlive its processes for us
    return 0;
}

void creation_undo(struct creation *creation) {
    netdev_undo(&creation->net_devices); // before the namespace dies, and virtual ones with it
    launch_abort(&creation->launched);
    struct err err;
    if (creation->rdt.fd >= 0 && rdt_remove(&creation->rdt, &creation->rdt_group, !creation->done, &err) < 0) {
        log_warn("%s", err.text);
    }
    // A pid namespace dies with its first process; without one there may be others left.
    bool all_dead = creation->plan.namespaces & CLONE_NEWPID;
    const struct container_plan *plan = &creation->plan;
    if (creation->cgroup.count > 0 &&
        ((!all_dead && cgroup_kill(&creation->cgroup, &err) < 0) ||
         plan->cgroup_manager->unmake(plan->cgroup_path, &creation->cgroup, REMOVE_TIMEOUT_MS, &err) < 0)) {
        log_warn("%s; the next command tries again", err.text);
        return; // by what stands in the state
    }
    if (creation->dir_made && state_dir_remove(&creation->dir, &err) < 0) {
        log_warn("%s", err.text);
    }
}

int creation_begin(struct creation *creation, const struct container_options *options, bool wait_for_start, bool attached,
                   struct err *err) {
    if (create(creation, options, wait_for_start, attached, err) == 0) {
        return 0;
    }
    if (creation->plan.limits.memory_bytes.set && creation->launched.pid > 0) {
        oom_explain(&creation->cgroup, creation->plan.limits.memory_bytes.value, err);
    }
    creation_undo(creation);
    // Whatever the hooks before have set up, those after the end clean up (runtime-spec, "Lifecycle", steps 3 to 5).
    struct err hook_err;
    if (creation->released && creation_run_hooks(creation, options, OCI_HOOK_POSTSTOP, &hook_err) < 0) {
        log_warn("%s", hook_err.text);
    }
    return -1;
}

int creation_run_hooks(struct creation *creation, const struct container_options *options, unsigned kind, struct err *err) {
    enum oci_status status = kind == OCI_HOOK_POSTSTOP ? OCI_STATUS_STOPPED : OCI_STATUS_RUNNING;
    return run_hooks(creation, options, (enum oci_hook_kind)kind, status, err);
}
