#include "runtime/engine/resources.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/number_set.h"
#include "runtime/base/strv.h"
#include "runtime/engine/config.h"
#include "runtime/engine/devices.h"
#include "runtime/engine/disks.h"
#include "runtime/engine/joined.h"
#include "runtime/engine/request.h"
#include "runtime/kernel/names.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_PIDS = 4096, MIN_MEMORY_BYTES = 6 << 20 };

// --- control groups ---

// Docker's: as much swap as memory where nobody has said, and 0 says nothing.
struct opt_i64 resources_memory_swap(const struct run_request *run) {
    const struct opt_i64 *memory = &run->memory_bytes;
    bool by_default = memory->set && memory->value > 0 && memory->value <= INT64_MAX / 2;
    return run->memory_swap_bytes.value != 0 ? run->memory_swap_bytes
           : by_default                      ? (struct opt_i64){true, 2 * memory->value}
                                             : (struct opt_i64){0};
}

static int merge_memory(const struct run_request *run, struct oci_memory *memory, struct err *err) {
    if (run->memory_bytes.set && run->memory_bytes.value > 0 && run->memory_bytes.value < MIN_MEMORY_BYTES) {
        return err_set(err, ERR_INPUT, "--memory: expected at least 6m, found %lld bytes", (long long)run->memory_bytes.value);
    }
    memory->limit = run->memory_bytes;
    if (run->memory_swap_bytes.set && run->memory_swap_bytes.value > 0 &&
        (!run->memory_bytes.set || run->memory_swap_bytes.value < run->memory_bytes.value)) {
        return err_set(err, ERR_INPUT, "--memory-swap: expected memory and swap together, so at least --memory, or -1 for no limit");
    }
    memory->swap = resources_memory_swap(run);
    memory->swap_by_default = run->memory_swap_bytes.value == 0;
    if (run->oom_kill_disable && !run->memory_bytes.set) {
        return err_set(err, ERR_INPUT, "--oom-kill-disable: needs --memory, or the container could take all that the host has");
    }
    memory->disable_oom_killer = (struct opt_bool){run->oom_kill_disable, run->oom_kill_disable};
    memory->reservation = run->memory_reservation_bytes;
    if (run->memory_reservation_bytes.set && run->memory_bytes.set && run->memory_reservation_bytes.value > run->memory_bytes.value) {
        return err_set(err, ERR_INPUT, "--memory-reservation: expected at most --memory");
    }
    if (run->memory_swappiness.set && run->memory_swappiness.value >= 0) {
        memory->swappiness = (struct opt_u64){true, (uint64_t)run->memory_swappiness.value};
    }
    return 0;
}

// The kernel says no more of a number that it has not than that it is out of range.
static int check_numbers(const char *flag, const char *list, size_t count, struct err *err) {
    struct number_set set;
    if (!list || (number_set_parse(list, &set) == 0 && set.limit <= count)) {
        return 0;
    }
    return count > 1 ? err_set(err, ERR_INPUT, "%s: expected numbers from 0 to %zu, as this host has them, such as 0-1 or 0,1; found \"%s\"", flag,
                               count - 1, list)
                     : err_set(err, ERR_INPUT, "%s: expected 0, the only one that this host has; found \"%s\"", flag, list);
}

static int merge_cpu(const struct run_request *run, struct oci_cpu *cpu, struct err *err) {
    if (run->nano_cpus.set && (run->cpu_period.set || run->cpu_quota.set)) {
        return err_set(err, ERR_INPUT, "--cpus says what --cpu-period and --cpu-quota say; expected one or the others");
    }
    if (run->nano_cpus.set) {
        if (run->nano_cpus.value < 10000000 || run->nano_cpus.value > sysconf(_SC_NPROCESSORS_CONF) * INT64_C(1000000000)) {
            return err_set(err, ERR_INPUT, "--cpus: expected 0.01 to %ld, as many as this host has", sysconf(_SC_NPROCESSORS_CONF));
        }
        cpu->period = (struct opt_u64){true, 100000};
        cpu->quota = (struct opt_i64){true, run->nano_cpus.value / 10000};
    }
    if (run->cpu_period.set) {
        cpu->period = (struct opt_u64){true, (uint64_t)run->cpu_period.value};
    }
    if (run->cpu_quota.set) {
        cpu->quota = run->cpu_quota;
    }
    if (run->cpu_shares.set) {
        cpu->shares = (struct opt_u64){true, (uint64_t)run->cpu_shares.value};
    }
    if (run->cpu_rt_period.set) {
        cpu->realtime_period = (struct opt_u64){true, (uint64_t)run->cpu_rt_period.value};
    }
    cpu->realtime_runtime = run->cpu_rt_runtime;
    if (check_numbers("--cpuset-cpus", run->cpuset_cpus, (size_t)sysconf(_SC_NPROCESSORS_CONF), err) < 0) {
        return -1;
    }
    cpu->cpus = run->cpuset_cpus;
    cpu->mems = run->cpuset_mems;
    return 0;
}

static int merge_groups(const struct config_request *request, struct arena *arena, struct oci_linux *os, struct err *err) {
    const struct run_request *run = request->run;
    struct oci_resources *resources = &os->resources;
    if (merge_memory(run, &resources->memory, err) < 0 || merge_cpu(run, &resources->cpu, err) < 0) {
        return -1;
    }
    resources->pids_limit = run->pids_limit;
    // A fork bomb ends at the container's wall. Without root there may be no cgroup to say so to: only what was asked for is needed then.
    if (!run->pids_limit.set && !request->rootless && !run->privileged) {
        resources->pids_limit = (struct opt_i64){true, DEFAULT_PIDS};
    }
    if (run->cgroup_parent && *run->cgroup_parent) {
        if (strstr(run->cgroup_parent, "..")) {
            return err_set(err, ERR_INPUT, "--cgroup-parent: expected the path of a control group, found \"%s\"", run->cgroup_parent);
        }
        bool absolute = run->cgroup_parent[0] == '/';
        os->cgroups_path = arena_format(arena, "%s%s/coffer-%s", absolute ? "" : "/", run->cgroup_parent, request->id);
    }
    return 0;
}

// --- limits of processes ---

static bool read_limit(const char *text, size_t length, uint64_t *ret) {
    char number[24], *end;
    if (length == 0 || length >= sizeof(number)) {
        return false;
    }
    snprintf(number, sizeof(number), "%.*s", (int)length, text);
    if (strcmp(number, "-1") == 0 || strcmp(number, "unlimited") == 0) {
        *ret = UINT64_MAX;
        return true;
    }
    errno = 0;
    *ret = strtoull(number, &end, 10);
    return number[0] >= '0' && number[0] <= '9' && *end == '\0' && errno == 0;
}

// NAME=SOFT[:HARD]; a soft one alone is both (docker).
static int read_ulimit(const char *text, struct oci_rlimit *ret, struct err *err) {
    char name[32];
    const char *equals = strchr(text, '='), *soft = equals ? equals + 1 : "";
    size_t length = strcspn(soft, ":");
    snprintf(name, sizeof(name), "%.*s", equals ? (int)(equals - text) : 0, text);
    int type = name_rlimit(name);
    if (type < 0 || !read_limit(soft, length, &ret->soft) ||
        (soft[length] && !read_limit(soft + length + 1, strlen(soft + length + 1), &ret->hard))) {
        return err_set(err, ERR_INPUT, "--ulimit: expected NAME=SOFT[:HARD] such as nofile=1024:4096, found \"%s\"", text);
    }
    ret->type = (uint32_t)type;
    ret->hard = soft[length] ? ret->hard : ret->soft;
    return ret->soft <= ret->hard ? 0 : err_set(err, ERR_INPUT, "--ulimit %s: the soft limit is above the hard one", text);
}

static int merge_process(const struct run_request *run, struct arena *arena, struct oci_process *process, struct err *err) {
    process->rlimits = arena_array(arena, run->ulimits.count, sizeof(*process->rlimits));
    for (size_t i = 0; i < run->ulimits.count; i++) {
        struct oci_rlimit limit;
        if (read_ulimit(run->ulimits.items[i], &limit, err) < 0) {
            return -1;
        }
        size_t at = 0; // the last one given counts
        while (at < process->rlimits_count && process->rlimits[at].type != limit.type) {
            at++;
        }
        process->rlimits[at] = limit;
        process->rlimits_count += at == process->rlimits_count;
    }
    if (run->oom_score_adj.set) {
        process->oom_score_adj = (struct opt_i32){true, (int32_t)run->oom_score_adj.value};
    }
    return 0;
}

// --- settings of the kernel ---

// Those of the host are not the container's to set. What is none of a namespace that it has of its own is refused here already.
static int add_wished_sysctls(const struct run_request *run, struct arena *arena, struct oci_linux *os, struct err *err) {
    for (size_t i = 0; i < run->sysctls.count; i++) {
        const char *text = run->sysctls.items[i], *equals = strchr(text, '=');
        if (!equals || equals == text || strstr(text, "..")) {
            return err_set(err, ERR_INPUT, "--sysctl: expected NAME=VALUE such as net.ipv4.ip_forward=1, found \"%s\"", text);
        }
        char *path = arena_copy(arena, text, (size_t)(equals - text));
        for (char *at = strchr(path, '/') ? NULL : strchr(path, '.'); at; at = strchr(at, '.')) {
            *at = '/';
        }
        uint32_t namespace = oci_sysctl_namespace(path);
        bool own = false;
        for (size_t n = 0; n < os->namespaces_count; n++) {
            own = own || (namespace && os->namespaces[n].type == namespace);
        }
        bool others = (namespace == CLONE_NEWIPC && joined_container(run->ipc)) ||
                      (namespace == CLONE_NEWNET && joined_container(run->network));
        if (!own || others) {
            return err_set(err, ERR_INPUT, "--sysctl %s: that is %s, and would change it for all", text,
                           others      ? "shared with another container here"
                           : namespace ? "shared with the host here"
                                       : "a setting of the host");
        }
        os->sysctl[os->sysctl_count++] = (struct text_pair){.name = path, .value = equals + 1};
    }
    return 0;
}

static bool has_sysctl(const struct oci_linux *os, const char *path) {
    for (size_t i = 0; i < os->sysctl_count; i++) {
        if (strcmp(os->sysctl[i].name, path) == 0) {
            return true;
        }
    }
    return false;
}

// In a network of its own nobody else is kept from a port: as with docker, a server that is not root may listen on 80, and ping works for
// all that are in the container.
static void add_usual_sysctls(const struct config_request *request, struct arena *arena, struct oci_linux *os) {
    static const char ports[] = "net/ipv4/ip_unprivileged_port_start", ping[] = "net/ipv4/ping_group_range";
    bool own = false;
    for (size_t i = 0; i < os->namespaces_count; i++) {
        own = own || (os->namespaces[i].type == CLONE_NEWNET && !os->namespaces[i].path);
    }
    if (!own || joined_container(request->run->network)) {
        return;
    }
    if (!has_sysctl(os, ports)) {
        os->sysctl[os->sysctl_count++] = (struct text_pair){ports, "0"};
    }
    // The kernel takes groups that the container has; whose those of another container's user namespace are, we do not know.
    uint32_t groups = !request->user_namespace ? INT32_MAX : request->gids.count > 0 ? request->gids.ranges[0].count - 1 : 0;
    if (!has_sysctl(os, ping) && request->joined->user < 0) {
        os->sysctl[os->sysctl_count++] = (struct text_pair){ping, arena_format(arena, "0 %u", groups)};
    }
}

static int merge_sysctls(const struct config_request *request, struct arena *arena, struct oci_linux *os, struct err *err) {
    enum { USUAL = 2 };
    os->sysctl = arena_array(arena, request->run->sysctls.count + USUAL, sizeof(*os->sysctl));
    if (add_wished_sysctls(request->run, arena, os, err) < 0) {
        return -1;
    }
    add_usual_sysctls(request, arena, os);
    return 0;
}

int resources_merge(const struct config_request *request, struct arena *arena, struct oci_config *config, struct err *err) {
    if (merge_groups(request, arena, &config->os, err) < 0 || merge_process(request->run, arena, config->process, err) < 0 ||
        merge_sysctls(request, arena, &config->os, err) < 0) {
        return -1;
    }
    return request->runs ? 0
           : disks_merge(request, arena, &config->os.resources.block_io, err) < 0 ? -1
                                                                                  : devices_merge(request, arena, config, err);
}

bool resources_asked(const struct run_request *run) {
    const struct opt_i64 numbers[] = {run->memory_bytes, run->memory_swap_bytes, run->memory_reservation_bytes, run->nano_cpus,
                                      run->cpu_shares, run->cpu_period, run->cpu_quota, run->cpu_rt_period, run->cpu_rt_runtime,
                                      run->pids_limit, run->blkio_weight};
    bool asked = run->cpuset_cpus || run->cpuset_mems || run->blkio_weight_devices.count > 0 || run->device_read_bps.count > 0 ||
                 run->device_write_bps.count > 0 || run->device_read_iops.count > 0 || run->device_write_iops.count > 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        asked = asked || numbers[i].set;
    }
    return asked;
}

int resources_change(const struct run_request *whole, const struct run_request *changes, struct oci_resources *ret, struct err *err) {
    struct oci_resources all = {0};
    if (merge_memory(whole, &all.memory, err) < 0 || merge_cpu(whole, &all.cpu, err) < 0) {
        return -1;
    }
    bool quota = changes->nano_cpus.set || changes->cpu_quota.set || changes->cpu_period.set;
    *ret = (struct oci_resources){0};
    if (changes->memory_bytes.set || changes->memory_swap_bytes.set) {
        ret->memory.limit = changes->memory_bytes.set ? all.memory.limit : ret->memory.limit;
        ret->memory.swap = all.memory.swap;
        ret->memory.swap_by_default = all.memory.swap_by_default;
    }
    if (changes->memory_reservation_bytes.set) {
        ret->memory.reservation = all.memory.reservation;
    }
    if (quota) {
        ret->cpu.quota = all.cpu.quota;
        ret->cpu.period = all.cpu.period;
    }
    if (changes->cpu_shares.set) {
        ret->cpu.shares = all.cpu.shares;
    }
    ret->cpu.cpus = changes->cpuset_cpus ? all.cpu.cpus : NULL;
    ret->cpu.mems = changes->cpuset_mems ? all.cpu.mems : NULL;
    if (changes->cpu_rt_period.set || changes->cpu_rt_runtime.set) {
        ret->cpu.realtime_period = all.cpu.realtime_period;
        ret->cpu.realtime_runtime = all.cpu.realtime_runtime;
    }
    ret->pids_limit = changes->pids_limit;
    if (changes->blkio_weight.set) {
        ret->block_io.weight.set = true;
        ret->block_io.weight.value = (__typeof__(ret->block_io.weight.value))changes->blkio_weight.value;
    }
    return 0;
}
