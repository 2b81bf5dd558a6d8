// Hot mounts: what `mounts add` and `mounts remove` do with a container that is there. The plan is made and checked as for a new one; what
// may be opened with our own rights is; a process of ours goes inside and does the rest (init/hot_mounts.c).
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/container.h"
#include "runtime/container/dialogue.h"
#include "runtime/container/launch.h"
#include "runtime/container/plan.h"
#include "runtime/container/plan_mounts.h"
#include "runtime/container/removal.h"
#include "runtime/container/snapshot.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/namespace.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/userns.h"
#include "specs/oci_config.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

struct hot {
    struct arena arena;
    struct state_dir dir;
    struct container_record record;
    struct oci_config config; // the container's, with the mounts in question for its own
    const char *document;
    enum plan_change change;
    int process;       // pidfd of the container's first process
    uint64_t differing; // namespaces that are not ours, of those that count for mounts (CLONE_NEW*)
    int userns;        // its user namespace, where that is not ours; else -1
    struct container_plan plan;
    struct launched launched;
};

#define HOT_NONE                                                                                                                        \
    { .dir = {.root_fd = -1, .fd = -1}, .process = -1, .userns = -1, .launched = {.pidfd = -1, .channel = -1} }

static void hot_finish(struct hot *hot) {
    launched_finish(&hot->launched);
    container_plan_finish(&hot->plan);
    fd_close(&hot->userns);
    fd_close(&hot->process);
    state_dir_finish(&hot->dir);
    arena_finish(&hot->arena);
}
#define AUTO_HOT AUTO(hot_finish)

static int find_container(struct hot *hot, const char *root, const char *id, struct err *err) {
    struct oci_config *config = NULL;
    if (state_dir_open(root, id, &hot->dir, err) < 0 || snapshot_read_both(&hot->dir, &hot->arena, &hot->record, &config, err) < 0) {
        return -1;
    }
    if (config) {
        hot->config = *config;
    }
    struct err gone;
    bool has_process = hot->record.pid > 0;
    if (has_process && state_dir_status(&hot->dir, &hot->record) != OCI_STATUS_STOPPED) {
        hot->process = removal_open_process(&hot->record, &gone);
    }
    if (has_process && hot->process < 0) {
        return err_set(err, ERR_STATE, "container not running: it is stopped");
    }
    // Before its first process is in its root file system, whoever joined it would find himself in the host's.
    if (!has_process || !state_dir_is_whole(&hot->dir, &hot->record)) {
        return err_set(err, ERR_STATE, "the container is just being made; try again");
    }
    return 0;
}

// --- the plan ---

// The namespaces that what is mounted belongs to, or that it shows. The one of processes only a procfs shows, which is not mounted here:
// so nobody in the container sees who mounts.
static int find_namespaces(struct hot *hot, struct err *err) {
    const uint64_t asked = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP;
    if (namespace_differing((pid_t)hot->record.pid, asked, &hot->differing, err) < 0) {
        return -1;
    }
    return (hot->differing & CLONE_NEWNS) ? 0 : err_set(err, ERR_STATE, "its mounts are those of this process, too");
}

static int open_namespace(const struct hot *hot, const char *name, uint64_t type, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)hot->record.pid, name);
    return container_plan_open_namespace(path, (uint32_t)type, err);
}

// By the process's number, which is its own as long as it lives: looked at once more behind.
static int open_namespaces(struct hot *hot, struct err *err) {
    static const struct {
        uint64_t type;
        const char *name;
    } joined[] = {{CLONE_NEWNET, "net"}, {CLONE_NEWIPC, "ipc"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWNS, "mnt"}};
    struct init_plan *init = &hot->plan.init;
    init->joins = arena_array(&hot->plan.arena, ARRAY_LEN(joined), sizeof(*init->joins));
    for (size_t i = 0; i < ARRAY_LEN(joined); i++) {
        if ((hot->differing & joined[i].type) == 0) {
            continue;
        }
        struct plan_namespace *join = &init->joins[init->join_count++];
        join->type = (uint32_t)joined[i].type;
        int fd = open_namespace(hot, joined[i].name, joined[i].type, err);
        if (fd < 0 || container_plan_add_fd(&hot->plan, fd, &join->fd, err) < 0) {
            return -1;
        }
    }
    if (hot->differing & CLONE_NEWUSER) {
        hot->userns = open_namespace(hot, "user", CLONE_NEWUSER, err);
        if (hot->userns < 0) {
            return -1;
        }
    }
    struct err gone;
    AUTO_FD int still = removal_open_process(&hot->record, &gone);
    return still < 0 ? err_set(err, ERR_STATE, "the container has just ended") : 0;
}

static int plan_mounts(struct hot *hot, const struct container_options *options, struct err *err) {
    struct container_plan *plan = &hot->plan;
    size_t count = hot->config.mounts_count;
    plan->init.mounts = arena_array(&plan->arena, count, sizeof(*plan->init.mounts));
    plan->trees = arena_array(&plan->arena, count, sizeof(*plan->trees));
    for (size_t i = 0; i < count; i++) {
        int planned = hot->change == PLAN_CHANGE_ADD ? container_plan_mount(options, i, plan, err)
                                                     : container_plan_unmount(options, i, plan, err);
        if (planned < 0) {
            return -1;
        }
    }
    return 0;
}

static int make_plan(struct hot *hot, struct err *err) {
    struct container_plan *plan = &hot->plan;
    const struct oci_linux *os = &hot->config.os;
    const struct container_options options = {
        .id = hot->dir.id,
        .bundle = hot->record.bundle,
        .config = &hot->config,
        .document = hot->document,
    };
    plan->running = true;
    plan->opens_trees = geteuid() == 0;
    plan->privileged = plan->opens_trees && userns_is_initial();
    plan->namespaces = hot->differing & CLONE_NEWUSER;
    plan->uids = container_plan_map(&plan->arena, os->uid_mappings, os->uid_mappings_count);
    plan->gids = container_plan_map(&plan->arena, os->gid_mappings, os->gid_mappings_count);
    plan->init.change = hot->change;
    plan->init.die_with_parent = true;
    plan->init.start_socket = plan->init.created_lock = plan->init.root_fd = -1;
    // A user namespace makes its own file systems and opens the host's trees from a mount namespace of its own only.
    plan->init.mount_namespace = hot->change == PLAN_CHANGE_ADD && ((hot->differing & CLONE_NEWUSER) || !plan->privileged);
    plan->init.root_propagation = MS_SLAVE;
    plan->init.masked_paths = os->masked_paths;
    plan->init.masked_count = os->masked_paths_count;
    plan->init.readonly_paths = os->readonly_paths;
    plan->init.readonly_count = os->readonly_paths_count;
    if (plan_mounts(hot, &options, err) < 0 || open_namespaces(hot, err) < 0) {
        return -1;
    }
    return container_plan_open_trees(&options, plan, hot->userns, err);
}

// --- the process ---

// In no cgroup of the container's, which may be paused. It ends with us: what the container makes it wait for, by a file system of its
// own, could hold it for good.
static int start(struct hot *hot, struct err *err) {
    const struct launch launch = {
        .namespaces = hot->plan.init.mount_namespace ? CLONE_NEWNS : 0,
        .cgroup_fd = -1,
        .stdio = {-1, -1, -1},
        .join_user = -1,
        .join_pid = -1,
        .join_process = (hot->differing & CLONE_NEWUSER) ? hot->process : -1,
        .join_namespaces = hot->differing & CLONE_NEWUSER,
        .die_with_parent = true,
    };
    return launch_init(&launch, &hot->launched, err);
}

static int carry_out(struct hot *hot, struct err *err) {
    const struct dialogue dialogue = {.channel = hot->launched.channel};
    bool ended = false;
    if (dialogue_send_plan(hot->launched.channel, &hot->plan, err) < 0 || dialogue_serve(&dialogue, &ended, err) < 0) {
        return -1;
    }
    return ended ? err_set(err, ERR_STATE, "the process that was to do it was killed; some of the mounts may have been changed") : 0;
}

static int run(struct hot *hot, const char *root, const char *id, const struct oci_mount_list *mounts, struct err *err) {
    if (find_container(hot, root, id, err) < 0 || find_namespaces(hot, err) < 0) {
        return -1;
    }
    hot->config.mounts = mounts->mounts;
    hot->config.mounts_count = mounts->mounts_count;
    if (make_plan(hot, err) < 0 || start(hot, err) < 0) {
        return -1;
    }
    int result = carry_out(hot, err);
    launch_abort(&hot->launched); // it has done all it had to, or said why not
    return result;
}

int container_add_mounts(const char *root, const char *id, const struct oci_mount_list *mounts, const char *document, struct err *err) {
    AUTO_HOT struct hot hot = HOT_NONE;
    hot.document = document;
    hot.change = PLAN_CHANGE_ADD;
    return run(&hot, root, id, mounts, err) < 0 ? err_in(err, "add mounts to container \"%s\"", id) : 0;
}

int container_remove_mounts(const char *root, const char *id, const struct oci_mount_list *mounts, const char *document, struct err *err) {
    AUTO_HOT struct hot hot = HOT_NONE;
    hot.document = document;
    hot.change = PLAN_CHANGE_REMOVE;
    return run(&hot, root, id, mounts, err) < 0 ? err_in(err, "remove mounts from container \"%s\"", id) : 0;
}
