#include "runtime/container/plan.h"

#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/base/fd.h"
#include "runtime/container/net_devices.h"
#include "runtime/container/handover.h"
#include "runtime/container/options.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

void container_plan_finish(struct container_plan *plan) {
    for (size_t i = 0; i < plan->fd_count; i++) {
        fd_close(&plan->fds[i]);
    }
    plan->fd_count = 0;
    cgroup_host_finish(&plan->cgroup_host);
    arena_finish(&plan->arena);
}

int container_plan_cgroup_host(struct container_plan *plan, struct err *err) {
    if (plan->knows_cgroup_host) {
        return 0;
    }
    plan->knows_cgroup_host = true;
    return cgroup_detect(&plan->cgroup_host, err);
}

int container_plan_add_fd(struct container_plan *plan, int give_fd, int32_t *ret_place, struct err *err) {
    AUTO_FD int fd = give_fd;
    if (plan->fd_count == CHANNEL_MAX_FDS) {
        return err_set(err, ERR_INPUT, "the configuration needs more than %d descriptors at once; use fewer bind mounts or devices",
                       CHANNEL_MAX_FDS);
    }
    *ret_place = (int32_t)plan->fd_count;
    plan->fds[plan->fd_count++] = fd_take(&fd);
    return 0;
}

struct idmap container_plan_map(struct arena *arena, const struct oci_id_mapping *mappings, size_t count) {
    struct id_range *ranges = arena_array(arena, count, sizeof(*ranges));
    for (size_t i = 0; i < count; i++) {
        ranges[i] = (struct id_range){mappings[i].container_id, mappings[i].host_id, mappings[i].size};
    }
    return (struct idmap){ranges, count};
}

// Lines "CLOCK SECONDS NANOSECONDS", with the numbers of the clocks: their names are newer (time_namespaces(7)).
static const char *time_offsets(struct arena *arena, const struct oci_linux *os) {
    static const struct oci_time_offset none;
    if (!os->monotonic_offset && !os->boottime_offset) {
        return "";
    }
    const struct oci_time_offset *monotonic = os->monotonic_offset ? os->monotonic_offset : &none;
    const struct oci_time_offset *boottime = os->boottime_offset ? os->boottime_offset : &none;
    return arena_format(arena, "%d %lld %u\n%d %lld %u\n", CLOCK_MONOTONIC, (long long)monotonic->secs, monotonic->nanosecs,
                        CLOCK_BOOTTIME, (long long)boottime->secs, boottime->nanosecs);
}

static int plan_namespaces(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_config *config = options->config;
    const struct oci_linux *os = &config->os;
    plan->init.joins = arena_array(&plan->arena, os->namespaces_count, sizeof(*plan->init.joins));
    plan->join_paths = arena_array(&plan->arena, os->namespaces_count, sizeof(*plan->join_paths));
    for (size_t i = 0; i < os->namespaces_count; i++) {
        const struct oci_namespace *wanted = &os->namespaces[i];
        if (wanted->path && wanted->type == CLONE_NEWUSER) {
            plan->join_user = wanted->path;
        } else if (wanted->path && wanted->type == CLONE_NEWPID) {
            plan->join_pid = wanted->path;
        } else if (wanted->path) {
            plan->joins_mounts = plan->joins_mounts || wanted->type == CLONE_NEWNS;
            plan->join_paths[plan->init.join_count] = wanted->path;
            plan->init.joins[plan->init.join_count++] = (struct plan_namespace){.fd = -1, .type = wanted->type};
        } else if (wanted->type == CLONE_NEWCGROUP) {
            plan->init.new_cgroup_namespace = true; // unshared by init, once it is in its cgroup
        } else if (wanted->type == CLONE_NEWTIME) {
            plan->init.time_offsets = time_offsets(&plan->arena, os);
        } else {
            plan->namespaces |= wanted->type;
        }
    }
    plan->init.mount_namespace = (plan->namespaces & CLONE_NEWNS) || plan->joins_mounts;
    plan->init.new_network = plan->namespaces & CLONE_NEWNET;
    // A network namespace is what takes longest to make, and most of init's work does not need it. It belongs to the user namespace of
    // its maker: where that is to be the container's, the clone makes it. An ordinary user cannot open it, then, if the user namespace was
    // joined: init is hidden from him (init/join.c).
    bool joined_late = plan->join_user && !plan->privileged && options->attach_network;
    plan->init.late_network = plan->init.new_network && !(plan->namespaces & CLONE_NEWUSER) &&
                              ((plan->privileged && !plan->join_user) || joined_late);
    if (plan->init.late_network) {
        plan->namespaces &= ~(uint64_t)CLONE_NEWNET;
    }
    plan->uids = container_plan_map(&plan->arena, os->uid_mappings, os->uid_mappings_count);
    plan->gids = container_plan_map(&plan->arena, os->gid_mappings, os->gid_mappings_count);
    if ((plan->namespaces & CLONE_NEWUSER) && (plan->uids.count == 0 || plan->gids.count == 0)) {
        return err_set(err, ERR_INPUT, "config.json: linux.uidMappings and linux.gidMappings: a new user namespace needs both");
    }
    if (plan->joins_mounts && !plan->opens_trees) {
        return err_set(err, ERR_UNSUPPORTED, "config.json: linux.namespaces: only root can join a mount namespace by its path");
    }
    if (plan->joins_mounts && config->hooks[OCI_HOOK_CREATE_CONTAINER].items_count > 0) {
        return err_set(err, ERR_INPUT, "config.json: hooks.createContainer: cannot be found in the mount namespace of linux.namespaces, "
                       "whose files are others; use createRuntime");
    }
    if (!plan->init.mount_namespace) {
        return err_set(err, ERR_INPUT, "config.json: linux.namespaces: a mount namespace is needed; without one the container's mounts "
                       "would be the host's");
    }
    return 0;
}

int container_plan_process(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_process *from = options->config->process;
    struct plan_process *to = &plan->init.process;
    if (!from) {
        return 0;
    }
    to->args = from->args;
    to->arg_count = from->args_count;
    to->env = from->env;
    to->env_count = from->env_count;
    to->cwd = from->cwd;
    to->make_cwd = options->make_cwd;
    to->user = options->user;
    if (options->group_names) {
        to->group_names = (const char **)(uintptr_t)options->group_names->items;
        to->group_name_count = options->group_names->count;
    }
    to->uid = from->user.uid;
    to->gid = from->user.gid;
    to->groups_bytes = from->user.additional_gids;
    to->groups_size = from->user.additional_gids_count * sizeof(uint32_t);
    to->set_groups = true;
    plan->init.ask_groups = !plan->privileged || plan->join_user;
    to->set_umask = from->user.umask.set;
    to->umask = from->user.umask.value;
    to->no_new_privileges = from->no_new_privileges;
    to->terminal = from->terminal;
    to->reaper = options->reaper;
    if (from->console_size && from->terminal) {
        to->console_rows = from->console_size->height;
        to->console_columns = from->console_size->width;
    }
    if (from->capabilities) {
        to->caps = (struct plan_caps){
            .bounding = from->capabilities->bounding,
            .effective = from->capabilities->effective,
            .permitted = from->capabilities->permitted,
            .inheritable = from->capabilities->inheritable,
            // The kernel takes only what is permitted and inheritable too; documents of older tools ask for more.
            .ambient = from->capabilities->ambient & from->capabilities->permitted & from->capabilities->inheritable,
        };
    }
    to->rlimits = arena_array(&plan->arena, from->rlimits_count, sizeof(*to->rlimits));
    to->rlimit_count = from->rlimits_count;
    for (size_t i = 0; i < from->rlimits_count; i++) {
        to->rlimits[i] = (struct plan_rlimit){from->rlimits[i].type, from->rlimits[i].soft, from->rlimits[i].hard};
    }
    handover_tell(options, plan);
    plan->set_oom_score = from->oom_score_adj.set;
    plan->oom_score = from->oom_score_adj.value;
    to->new_keyring = !options->no_new_keyring;
    if (container_plan_label(from, to, err) < 0 || container_plan_landlock(options->config, &plan->arena, &to->landlock, err) < 0) {
        return -1;
    }
    return container_plan_attributes(&options->config->os, from, &plan->arena, to, err);
}

static void plan_sysctls(const struct oci_config *config, struct container_plan *plan) {
    plan->init.sysctls = arena_array(&plan->arena, config->os.sysctl_count, sizeof(*plan->init.sysctls));
    for (size_t i = 0; i < config->os.sysctl_count; i++) {
        plan->init.sysctls[plan->init.sysctl_count++] = (struct plan_setting){config->os.sysctl[i].name, config->os.sysctl[i].value};
    }
}

static struct plan_hook *plan_hooks(struct arena *arena, const struct oci_hook_list *list, size_t *ret_count) {
    struct plan_hook *hooks = arena_array(arena, list->items_count, sizeof(*hooks));
    for (size_t i = 0; i < list->items_count; i++) {
        const struct oci_hook *from = &list->items[i];
        hooks[i] = (struct plan_hook){
            .path = from->path,
            .args = from->args,
            .arg_count = from->args_count,
            .env = from->env,
            .env_count = from->env_count,
            .timeout_s = from->timeout_s.set ? (uint32_t)from->timeout_s.value : 0,
        };
    }
    *ret_count = list->items_count;
    return hooks;
}

static void plan_all_hooks(const struct oci_config *config, struct container_plan *plan) {
    const struct oci_hook_list *hooks = config->hooks;
    plan->init.create_hooks = plan_hooks(&plan->arena, &hooks[OCI_HOOK_CREATE_CONTAINER], &plan->init.create_hook_count);
    plan->init.start_hooks = plan_hooks(&plan->arena, &hooks[OCI_HOOK_START_CONTAINER], &plan->init.start_hook_count);
    plan->init.ask_before_pivot = hooks[OCI_HOOK_PRESTART].items_count > 0 || hooks[OCI_HOOK_CREATE_RUNTIME].items_count > 0;
}

static void plan_root(const struct container_options *options, struct container_plan *plan) {
    const struct oci_config *config = options->config;
    struct init_plan *init = &plan->init;
    uint32_t wanted = config->os.rootfs_propagation;
    init->root_propagation = (wanted & MS_PRIVATE) ? MS_PRIVATE : MS_SLAVE;
    init->final_propagation = wanted & (uint32_t)~MS_REC;
    init->root_readonly = config->root.readonly;
    init->no_pivot = options->no_pivot;
    init->root_fd = -1;
    const char *path = config->root.path ? config->root.path : "rootfs";
    init->root_path = path[0] == '/' ? path : arena_format(&plan->arena, "%s/%s", options->bundle, path);
    const struct container_layers *layers = options->layers;
    if (!layers) {
        bool other_user = (plan->namespaces & CLONE_NEWUSER) || plan->join_user;
        init->root_kind = plan->opens_trees && (other_user || plan->joins_mounts) ? PLAN_ROOT_TREE : PLAN_ROOT_PATH;
    } else if (plan->privileged) {
        init->root_kind = PLAN_ROOT_TREE;
        plan->needs_userns = (plan->namespaces & CLONE_NEWUSER) || plan->join_user;
    } else {
        init->root_kind = PLAN_ROOT_OVERLAY;
        init->overlay_base = layers->base;
        init->overlay_lower = arena_array(&plan->arena, layers->lower_count + 1, sizeof(*init->overlay_lower));
        memcpy(init->overlay_lower, layers->lower, layers->lower_count * sizeof(*init->overlay_lower));
        init->overlay_lower_count = layers->lower_count;
        init->overlay_upper = layers->upper;
        init->overlay_work = layers->work;
        init->overlay_directory = layers->directory;
        init->overlay_volatile = layers->is_volatile;
    }
}

int container_plan_build(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_config *config = options->config;
    plan->opens_trees = geteuid() == 0;
    plan->privileged = plan->opens_trees && userns_is_initial();
    plan->init.start_socket = plan->init.created_lock = -1;
    if (plan_namespaces(options, plan, err) < 0) {
        return -1;
    }
    if (container_plan_process(options, plan, err) < 0) {
        return -1;
    }
    plan_root(options, plan);
    plan_all_hooks(config, plan);
    plan->init.hostname = config->hostname;
    plan->init.domainname = config->domainname;
    plan->init.masked_paths = config->os.masked_paths;
    plan->init.masked_count = config->os.masked_paths_count;
    plan->init.readonly_paths = config->os.readonly_paths;
    plan->init.readonly_count = config->os.readonly_paths_count;
    plan_sysctls(config, plan);
    if (net_devices_plan(config, plan, err) < 0) {
        return -1;
    }
    return container_plan_limits(options, plan, err) < 0 || container_plan_mounts(options, plan, err) < 0 ? -1 : 0;
}

// NS_GET_NSTYPE, ioctl_ns(2), tells the type.
int container_plan_open_namespace(const char *path, uint32_t type, struct err *err) {
    // O_NONBLOCK: the path could be that of a fifo.
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "open namespace %s", path);
    }
    int found = ioctl(fd, NS_GET_NSTYPE);
    if (found < 0) {
        return err_set(err, ERR_INPUT, "%s is not a namespace", path);
    }
    if ((uint32_t)found != type) {
        return err_set(err, ERR_INPUT, "namespace %s: expected one of type %s, found type %s", path, oci_namespace_name(type),
                       oci_namespace_name((uint32_t)found));
    }
    return fd_take(&fd);
}

static bool is_own(int fd, uint32_t type) {
    const char *own = type == CLONE_NEWNET   ? "/proc/self/ns/net"
                      : type == CLONE_NEWIPC ? "/proc/self/ns/ipc"
                      : type == CLONE_NEWNS  ? "/proc/self/ns/mnt"
                                             : "/proc/self/ns/uts";
    struct stat status, own_status;
    return fstat(fd, &status) == 0 && stat(own, &own_status) == 0 && status.st_dev == own_status.st_dev &&
           status.st_ino == own_status.st_ino;
}

// A namespace joined by its path may be ours. What the configuration sets in it would then change the host.
static int check_not_own(const struct container_plan *plan, size_t join, int fd, struct err *err) {
    uint32_t type = plan->init.joins[join].type;
    const char *setting = NULL;
    if (type == CLONE_NEWUTS) {
        setting = plan->init.hostname ? "hostname" : plan->init.domainname ? "domainname" : NULL;
    }
    for (size_t i = 0; i < plan->init.sysctl_count && !setting; i++) {
        setting = oci_sysctl_namespace(plan->init.sysctls[i].path) == type ? plan->init.sysctls[i].path : NULL;
    }
    if (type == CLONE_NEWNET && plan->net_device_count > 0) {
        setting = "linux.netDevices";
    }
    // The root and the mounts are made in the namespace, as in a new one: whoever is in it has them, too.
    if (type == CLONE_NEWNS) {
        setting = "root.path";
    }
    if (setting && is_own(fd, type)) {
        return err_set(err, ERR_INPUT, "namespace %s: is the host's own, which %s of the configuration would change",
                       plan->join_paths[join], setting);
    }
    return 0;
}

int container_plan_open_namespaces(struct container_plan *plan, struct err *err) {
    for (size_t i = 0; i < plan->init.join_count; i++) {
        int fd = container_plan_open_namespace(plan->join_paths[i], plan->init.joins[i].type, err);
        if (fd < 0 || container_plan_add_fd(plan, fd, &plan->init.joins[i].fd, err) < 0 || check_not_own(plan, i, fd, err) < 0) {
            return -1;
        }
    }
    return 0;
}
