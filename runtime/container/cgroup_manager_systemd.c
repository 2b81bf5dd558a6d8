// The manager that asks systemd: a transient scope with delegation for each container, limits as its properties.
//
// Theory of operation. systemd owns the tree of control groups and writes into what it has made whenever it looks at it again; only
// below a unit with Delegate=yes others may. So the container's process is put into a scope of its own, with all limits told as
// properties that systemd has any for, and what it has none for is then written into the files of the scope, as by the other
// manager. The scope lives as long as a process is in it; systemd removes one that is empty by itself, so that nothing is left even
// of a container whose maker was killed at any moment.
//
// On version 1 systemd places the process in some hierarchies only; the group is made in the others too, and init joins it there.
#include "runtime/container/cgroup_manager.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/systemd_properties.h"
#include "runtime/container/systemd_unit.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_limits.h"
#include "runtime/kernel/systemd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROCS_MAX_BYTES = 1 << 16, FILE_MAX_BYTES = 4096 };

static int plan(const struct cgroup_wish *wish, struct arena *arena, const char **ret_path, struct err *err) {
    struct systemd_properties ignored = {.arena = arena};
    *ret_path = systemd_unit_plan(wish->path, wish->id, wish->user_bus, arena, err);
    // Looked at now, so that what is wrong in them has no effect.
    return !*ret_path || systemd_add_annotations(wish->annotations, wish->annotations_count, &ignored, err) < 0 ? -1 : 0;
}

// --- what systemd is told ---

static void add_text(struct systemd_properties *list, const char *name, const char *text) {
    systemd_add(list, name, "s")->text = text;
}

static void add_bool(struct systemd_properties *list, const char *name, bool value) {
    systemd_add(list, name, "b")->number = value;
}

static void add_place(const struct cgroup_wish *wish, const struct systemd_unit *unit, struct systemd_properties *list) {
    add_text(list, "Description", arena_format(list->arena, "coffer container %s", wish->id));
    if (unit->is_slice) {
        return; // a slice lies where its name says, and takes no processes: we put ours in
    }
    uint32_t *pid = arena_alloc(list->arena, sizeof(*pid));
    *pid = (uint32_t)wish->pid;
    add_text(list, "Slice", unit->slice);
    add_bool(list, "Delegate", true);
    struct systemd_property *pids = systemd_add(list, "PIDs", "au");
    pids->items = pid;
    pids->count = 1;
}

static int describe(const struct cgroup_host *host, const struct cgroup_wish *wish, const struct systemd_unit *unit,
                    struct systemd_properties *list, struct err *err) {
    const struct systemd_host kind = {.v2 = host->version == CGROUP_V2, .user = unit->user};
    add_place(wish, unit, list);
    // Not stopped at shutdown in an order with others, and forgotten once it has ended, even when it failed.
    add_bool(list, "DefaultDependencies", false);
    add_text(list, "CollectMode", "inactive-or-failed");
    // The controllers are there from the beginning: a group cannot be put under some of them later without losing what was counted.
    add_bool(list, "MemoryAccounting", true);
    add_bool(list, "CPUAccounting", true);
    add_bool(list, "TasksAccounting", true);
    add_bool(list, kind.v2 ? "IOAccounting" : "BlockIOAccounting", true);
    // What the configuration says itself comes last and so is what holds.
    return systemd_add_limits(wish->limits, &kind, list, err) < 0 ||
                   systemd_add_annotations(wish->annotations, wish->annotations_count, list, err) < 0
               ? -1
               : 0;
}

// --- where the group is ---

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

// systemd's own group, in front of the path, is not ours to know: a user's systemd lies deep, one in a container where that is.
static int ask_for_path(struct dbus *bus, const struct systemd_unit *unit, const char *path, struct buf *ret_path, struct err *err) {
    if (systemd_control_group(bus, unit->name, ret_path, err) < 0) {
        return -1;
    }
    const char *found = buf_string(ret_path);
    if (*found != '/' || !ends_with(found, path)) {
        return err_set(err, ERR_STATE, "unit %s has cgroup %.200s, expected one that ends with %s", unit->name, found, path);
    }
    return cgroup_check_path(found, err);
}

enum place { PLACE_RIGHT, PLACE_EMPTY, PLACE_OTHERS };

static enum place look_for(const struct cgroup *cgroup, pid_t pid) {
    int dir = cgroup_dir_fd(cgroup, CGROUP_SYSTEMD);
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err unused;
    if (fd_read_file(dir >= 0 ? dir : cgroup_v2_fd(cgroup), "cgroup.procs", PROCS_MAX_BYTES, &text, &size, &unused) < 0) {
        return PLACE_EMPTY;
    }
    char *state = NULL;
    for (const char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (atol(line) == pid) {
            return PLACE_RIGHT;
        }
    }
    return size == 0 ? PLACE_EMPTY : PLACE_OTHERS;
}

// Version 2: what is not there any more is not made anew, outside of systemd's sight. Version 1: in every hierarchy.
static int open_group(const struct cgroup_host *host, const char *path, struct cgroup *ret_cgroup, struct err *err) {
    int result = host->version == CGROUP_V2 ? cgroup_open(host, path, CGROUP_ALL, ret_cgroup, err)
                                            : cgroup_create(host, path, CGROUP_ALL, ret_cgroup, err);
    for (size_t i = 0; result == 0 && i < ret_cgroup->count; i++) {
        struct cgroup_dir *dir = &ret_cgroup->dirs[i];
        dir->made = dir->made > 0 ? dir->made : 1; // by systemd, for us
        dir->fresh = true;
    }
    return result;
}

// With the weights of the BFQ scheduler systemd writes another file, by another scale; whether it is there shows in the group.
static int tell_bfq(struct dbus *bus, const struct cgroup_wish *wish, const struct systemd_unit *unit, const struct cgroup *cgroup,
                    struct err *err) {
    const struct cgroup_limits *limits = wish->limits;
    if ((!limits->io_weight.set && limits->io_device_weights.count == 0) || cgroup->host->version != CGROUP_V2 ||
        faccessat(cgroup_v2_fd(cgroup), "io.bfq.weight", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0;
    }
    AUTO_ARENA struct arena arena = {0};
    struct systemd_properties list = {.arena = &arena};
    const struct systemd_host kind = {.v2 = true, .user = unit->user, .bfq = true};
    const struct cgroup_limits weights = {.io_weight = limits->io_weight, .io_device_weights = limits->io_device_weights};
    return systemd_add_limits(&weights, &kind, &list, err) < 0 ? -1 : systemd_set(bus, unit->name, list.items, list.count, err);
}

// --- the manager ---

// A recorded path, taken apart, and the bus that it names.
struct target {
    struct arena arena;
    struct systemd_unit unit;
    const char *path; // below systemd's own group
    struct dbus bus;
};

static void target_finish(struct target *target) {
    dbus_finish(&target->bus);
    arena_finish(&target->arena);
}
#define AUTO_TARGET AUTO(target_finish)
#define TARGET_NONE ((struct target){.bus = {.fd = -1}})

static int open_target(struct target *target, const char *recorded, struct err *err) {
    return systemd_unit_of(recorded, &target->arena, &target->unit, &target->path, err) < 0
               ? -1
               : systemd_connect(target->unit.address, &target->bus, err);
}

static int take_place(struct target *target, const struct cgroup_host *host, const struct cgroup_wish *wish, struct cgroup *cgroup,
                      struct err *err) {
    AUTO_BUF struct buf found = {0};
    const struct systemd_unit *unit = &target->unit;
    if (ask_for_path(&target->bus, unit, target->path, &found, err) < 0 || open_group(host, buf_string(&found), cgroup, err) < 0 ||
        (unit->is_slice && cgroup_add(cgroup, wish->pid, err) < 0)) {
        return -1;
    }
    return tell_bfq(&target->bus, wish, unit, cgroup, err);
}

static int check_host(const struct cgroup_host *host, const struct systemd_unit *unit, struct err *err) {
    if (host->version == CGROUP_NONE) {
        return err_set(err, ERR_UNSUPPORTED, "no cgroups: nothing of type cgroup or cgroup2 is mounted on /sys/fs/cgroup");
    }
    if (unit->user && host->version == CGROUP_V1) {
        return err_set(err, ERR_UNSUPPORTED, "a user's own systemd can give away no cgroup of version 1: boot the host with "
                       "systemd.unified_cgroup_hierarchy=1, or take --cgroup-manager cgroupfs");
    }
    return 0;
}

static int make(const struct cgroup_host *host, const struct cgroup_wish *wish, struct cgroup *ret_cgroup, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct systemd_properties list = {.arena = &target.arena};
    if (open_target(&target, wish->path, err) < 0 || check_host(host, &target.unit, err) < 0 ||
        describe(host, wish, &target.unit, &list, err) < 0 ||
        systemd_start(&target.bus, target.unit.name, list.items, list.count, err) < 0) {
        return -1;
    }
    enum place found = PLACE_EMPTY;
    int result = take_place(&target, host, wish, &cgroup, err);
    if (result == 0) {
        found = look_for(&cgroup, wish->pid);
        result = found == PLACE_RIGHT
                     ? 0
                     : err_set(err, ERR_STATE, "unit %s was made, but the container's process is not in its cgroup", target.unit.name);
    }
    if (result < 0) {
        // Another's process in it would be ended with the unit.
        struct err other;
        if (found != PLACE_OTHERS && (systemd_stop(&target.bus, target.unit.name, &other) < 0 ||
                                      cgroup_remove(&cgroup, 0, &other) < 0)) {
            log_warn("%s", other.text);
        }
        return -1;
    }
    *ret_cgroup = cgroup;
    cgroup = (struct cgroup){0};
    return 0;
}

static int apply(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    (void)path; // make() has told systemd
    return cgroup_apply(cgroup, limits, err);
}

// What systemd keeps of a group that is in use, as it stands in the files now: a conversion may have needed more than what was changed.
static void read_files(const struct cgroup *cgroup, struct arena *arena, struct cgroup_limits *limits) {
    static const char *const files[] = {"memory.max", "memory.low", "memory.swap.max", "cpu.max", "cpu.weight",
                                        "cpu.idle",   "pids.max",   "cpuset.cpus",     "cpuset.mems"};
    int dir = cgroup_v2_fd(cgroup);
    struct cgroup_key *keys = arena_array(arena, ARRAY_LEN(files) + limits->unified_count, sizeof(*keys));
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO_FREE char *text = NULL;
        size_t size;
        struct err unused;
        if (fd_read_file(dir, files[i], FILE_MAX_BYTES, &text, &size, &unused) == 0 && size > 1) {
            keys[count++] = (struct cgroup_key){.file = files[i], .value = arena_copy_string(arena, text)};
        }
    }
    for (size_t i = 0; i < limits->unified_count; i++) {
        keys[count++] = limits->unified[i];
    }
    *limits = (struct cgroup_limits){
        .unified = keys,
        .unified_count = count,
        .io_weight = limits->io_weight,
        .io_device_weights = limits->io_device_weights,
        .io_read_bytes = limits->io_read_bytes,
        .io_write_bytes = limits->io_write_bytes,
        .io_reads = limits->io_reads,
        .io_writes = limits->io_writes,
        .devices = limits->devices,
        .device_count = limits->device_count,
    };
}

// Version 1 has one more file for a quota than systemd has properties.
static void read_quota(const struct cgroup *cgroup, struct cgroup_limits *limits) {
    AUTO_FREE char *quota = NULL;
    AUTO_FREE char *period = NULL;
    size_t size;
    struct err unused;
    int dir = cgroup_dir_fd(cgroup, CGROUP_CPU);
    if ((limits->cpu_quota_us.set || limits->cpu_period_us.set) && dir >= 0 &&
        fd_read_file(dir, "cpu.cfs_quota_us", FILE_MAX_BYTES, &quota, &size, &unused) == 0 &&
        fd_read_file(dir, "cpu.cfs_period_us", FILE_MAX_BYTES, &period, &size, &unused) == 0) {
        limits->cpu_quota_us = CGROUP_VALUE(strtoll(quota, NULL, 10));
        limits->cpu_period_us = CGROUP_VALUE(strtoll(period, NULL, 10));
    }
}

static int tell(const char *path, const struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    if (open_target(&target, path, err) < 0) {
        return -1;
    }
    struct systemd_properties list = {.arena = &target.arena};
    struct systemd_host kind = {.v2 = cgroup->host->version == CGROUP_V2, .user = target.unit.user};
    struct cgroup_limits now = *limits;
    if (kind.v2) {
        kind.bfq = faccessat(cgroup_v2_fd(cgroup), "io.bfq.weight", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        read_files(cgroup, &target.arena, &now);
    } else {
        read_quota(cgroup, &now);
    }
    return systemd_add_limits(&now, &kind, &list, err) < 0
               ? -1
               : systemd_set(&target.bus, target.unit.name, list.items, list.count, err);
}

// The files first: what they refuse is refused. Then again, since systemd rounds what it writes.
static int update(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    struct cgroup_limits again = *limits;
    again.memory_check_before_update = false;
    return cgroup_update(cgroup, limits, err) < 0 || tell(path, cgroup, limits, err) < 0 ? -1 : cgroup_update(cgroup, &again, err);
}

static int unmake(const char *path, struct cgroup *cgroup, int timeout_ms, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    // Without its systemd, that of a user who has logged out, there may still be a group or none.
    if (open_target(&target, path, err) < 0) {
        return cgroup->count == 0 || cgroup_remove(cgroup, timeout_ms, err) == 0 ? 0 : -1;
    }
    return systemd_stop(&target.bus, target.unit.name, err) < 0 ? -1 : cgroup_remove(cgroup, timeout_ms, err);
}

// Only a unit whose name carries the container's id: one that the configuration named may have been another's.
static int find(const struct cgroup_host *host, const char *path, const char *id, struct cgroup *ret_cgroup, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_BUF struct buf found = {0};
    if (systemd_unit_of(path, &target.arena, &target.unit, &target.path, err) < 0) {
        return -1;
    }
    if (!systemd_unit_has_id(&target.unit, id)) {
        return err_set(err, ERR_NOT_FOUND, "unit %s may be another's", target.unit.name);
    }
    int result = cgroup_open(host, target.path, CGROUP_ALL, ret_cgroup, err);
    if (result < 0) {
        result = open_target(&target, path, err) < 0 || ask_for_path(&target.bus, &target.unit, target.path, &found, err) < 0
                     ? -1
                     : cgroup_open(host, buf_string(&found), CGROUP_ALL, ret_cgroup, err);
    }
    for (size_t i = 0; result == 0 && i < ret_cgroup->count; i++) {
        ret_cgroup->dirs[i].made = 1;
    }
    return result;
}

const struct cgroup_manager cgroup_manager_systemd = {
    .name = "systemd",
    .needs_process = true,
    .plan = plan,
    .make = make,
    .apply = apply,
    .update = update,
    .unmake = unmake,
    .find = find,
};
