// container_plan: what the parent of init does and what init does, worked out from the configuration before the first system call
// that changes anything. Building it looks at nothing but the configuration and the options; whatever it refuses has had no effect.
//
// The parent's part: namespaces and id maps to clone with, the cgroup and its limits, trees of the host to open with the parent's
// rights. Init's part is the init_plan inside, which the parent completes with descriptors as it opens them.
#ifndef COFFER_CONTAINER_PLAN_H
#define COFFER_CONTAINER_PLAN_H

#include "runtime/base/arena.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_limits.h"
#include "runtime/kernel/userns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup;
struct cgroup_manager;
struct container_options;
struct err;
struct netdev;
struct oci_config;
struct oci_id_mapping;
struct oci_linux;
struct oci_process;

// A tree of the host that the parent opens for init: init, in a user namespace, may not be able to reach it.
struct plan_tree {
    bool is_device; // for devices[index], else for mounts[index]
    size_t index;
    const char *source;
    const char *below; // source, that is meant; NULL: itself
    bool is_given;     // by the caller, as container_options have it
    int given_fd;
    bool recursive;
    bool nofollow;
    bool idmap;        // through the container's user namespace, or the maps below
    bool idmap_tree;   // what is mounted below it, too
    struct idmap uids; // count 0: the container's
    struct idmap gids;
    uint64_t propagation; // 0: made private
};

struct container_plan {
    struct arena arena;
    struct init_plan init;

    uint64_t namespaces; // CLONE_NEW* for the clone
    struct idmap uids, gids;
    const char *join_user; // paths; NULL for none
    const char *join_pid;
    const char **join_paths; // of init.joins[]
    bool privileged;         // the parent is the host's root: device nodes and rules, a cgroup in any case
    bool opens_trees;        // the parent is uid 0 of some user namespace: it opens what init is to mount, as far as it may
    bool running;            // the container is there: init is only sent inside to change its mounts
    bool joins_mounts;       // the mount namespace is joined by its path: there, sources would be other files, so the parent opens them
    bool needs_userns;       // some tree is id-mapped through the container's user namespace

    bool set_oom_score;
    int32_t oom_score;

    struct plan_tree *trees;
    size_t tree_count;

    struct cgroup_host cgroup_host; // container_plan_cgroup_host() has looked at it
    bool knows_cgroup_host;
    const struct cgroup_manager *cgroup_manager;
    const char *cgroup_path; // as the manager has it; NULL: none is made
    const char *cgroup_folder; // that the path leads through (container_options.cgroup_folder); NULL: none
    bool cgroup_writable; // the container sees it by a mount that is not read-only
    bool cgroup_required; // limits were asked for: no cgroup is an error then
    struct cgroup_limits limits;

    struct netdev *net_devices; // to move into its network namespace
    size_t net_device_count;

    int fds[CHANNEL_MAX_FDS]; // what goes to init; owned
    size_t fd_count;
};

// Fills the zeroed plan. The configuration must outlive it.
int container_plan_build(const struct container_options *options, struct container_plan *plan, struct err *err) MUST_CHECK;

// Looks what the host has of cgroups, once.
int container_plan_cgroup_host(struct container_plan *plan, struct err *err) MUST_CHECK;

// A part of it that `exec` needs alone: fills init.process from the configuration's.
int container_plan_process(const struct container_options *options, struct container_plan *plan, struct err *err) MUST_CHECK;

// Compiles the configuration's system call filter into the plan.
int container_plan_filter(const struct container_options *options, struct container_plan *plan, struct err *err) MUST_CHECK;

// Opens a namespace; one of another type than CLONE_NEW* `type` is an error.
int container_plan_open_namespace(const char *path, uint32_t type, struct err *err) MUST_CHECK;

// Opens namespaces to join and, once init's user namespace is there (userns_fd, -1 for none), the trees and the root file system.
int container_plan_open_namespaces(struct container_plan *plan, struct err *err) MUST_CHECK;
int container_plan_open_trees(const struct container_options *options, struct container_plan *plan, int userns_fd,
                              struct err *err) MUST_CHECK;

// Adds a descriptor for init; returns its place.
int container_plan_add_fd(struct container_plan *plan, int give_fd, int32_t *ret_place, struct err *err) MUST_CHECK;

// On version 1 init itself joins the cgroup, by descriptors in its plan; on version 2 it is born there, and this does nothing.
int container_plan_join_cgroup(struct container_plan *plan, const struct cgroup *cgroup, struct err *err) MUST_CHECK;

// plan_attributes.c: what a process gets beside its identity, from its own section and that of the container.
int container_plan_attributes(const struct oci_linux *os, const struct oci_process *from, struct arena *arena, struct plan_process *to,
                              struct err *err) MUST_CHECK;
int container_plan_label(const struct oci_process *from, struct plan_process *to, struct err *err) MUST_CHECK;

// plan_landlock.c: Landlock by annotations. The second as it is where the kernel has a version of Landlock, 0 for none.
int container_plan_landlock(const struct oci_config *config, struct arena *arena, struct plan_landlock *to, struct err *err) MUST_CHECK;
int container_plan_landlock_rules(const struct oci_config *config, int version, struct arena *arena, struct plan_landlock *to,
                                  struct err *err) MUST_CHECK;

// plan_mounts.c, plan_limits.c, ...: parts of the building.
struct idmap container_plan_map(struct arena *arena, const struct oci_id_mapping *mappings, size_t count);
int container_plan_mounts(const struct container_options *options, struct container_plan *plan, struct err *err) MUST_CHECK;
int container_plan_limits(const struct container_options *options, struct container_plan *plan, struct err *err) MUST_CHECK;

void container_plan_finish(struct container_plan *plan);
#define AUTO_CONTAINER_PLAN AUTO(container_plan_finish)

#endif
