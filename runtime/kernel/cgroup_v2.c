#include "runtime/kernel/cgroup_plan.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The binary logarithm without the mathematics library, which would be one more shared library in every start: the whole part is
// the highest bit; squaring the rest yields one binary digit of the fraction after the other.
static double logarithm(uint64_t number) {
    int whole = 63 - __builtin_clzll(number);
    double rest = (double)number / (double)(UINT64_C(1) << whole);
    double result = whole;
    double digit = 0.5;
    for (int i = 0; i < 53; i++) { // as many as a double has
        rest *= rest;
        if (rest >= 2) {
            rest /= 2;
            result += digit;
        }
        digit /= 2;
    }
    return result;
}

uint64_t cgroup_weight_of_shares(uint64_t shares) {
    if (shares <= 2) {
        return 1;
    }
    if (shares >= 262144) {
        return 10000;
    }
    // The smallest whole number not below 10^((l^2 + 125 l) / 612 - 7/34), found by halving; the margin keeps 1024 at exactly 100.
    double l = logarithm(shares);
    double wanted = ((l * l + 125 * l) / 612 - 7.0 / 34) * logarithm(UINT64_C(10000000000)) / 10;
    uint64_t low = 1, high = 10000;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (logarithm(middle) >= wanted - 1e-12) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static uint64_t io_weight(int64_t weight) {
    return 1 + (uint64_t)(weight - 10) * 9999 / 990;
}

// What version 2 has nothing for: said, never passed over.
static int refuse(const struct cgroup_limits *limits, struct err *err) {
    const struct {
        bool asked;
        const char *name;
    } refusals[] = {
        {limits->memory_kernel_tcp_bytes.set && limits->memory_kernel_tcp_bytes.value >= 0, "memory.kernelTCP"},
        {limits->memory_swappiness.set, "memory.swappiness"},
        {limits->memory_disable_oom_killer, "memory.disableOOMKiller"},
        {limits->cpu_realtime_runtime_us.set && limits->cpu_realtime_runtime_us.value != 0, "cpu.realtimeRuntime"},
        {limits->cpu_realtime_period_us.set && limits->cpu_realtime_period_us.value != 0, "cpu.realtimePeriod"},
        {limits->io_leaf_weight.set, "blockIO.leafWeight"},
        {limits->io_device_leaf_weights.count > 0, "blockIO.weightDevice[].leafWeight"},
        {limits->network_class.set && limits->network_class.value != 0, "network.classID"},
        {limits->network_priority_count > 0, "network.priorities"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].asked) {
            return err_set(err, ERR_UNSUPPORTED, "resources.%s cannot be set: cgroup version 2 has no such thing", refusals[i].name);
        }
    }
    return 0;
}

static void add_number(struct cgroup_plan *plan, enum cgroup_controller controller, const char *file, int64_t value) {
    if (value < 0) {
        cgroup_plan_add(plan, controller, 0, file, "max");
    } else {
        cgroup_plan_add(plan, controller, 0, file, "%" PRId64, value);
    }
}

static int plan_memory(const struct cgroup_limits *limits, struct cgroup_plan *plan, struct err *err) {
    const struct cgroup_value *memory = &limits->memory_bytes;
    const struct cgroup_value *swap = &limits->memory_swap_bytes;
    if (swap->set && swap->value >= 0 && !memory->set) {
        return err_set(err, ERR_INPUT, "limit of memory and swap together needs a limit of memory on cgroup version 2");
    }
    // A kernel without swap has no file for it, and then there is nothing to allow or limit.
    if (swap->set && swap->value >= 0) {
        cgroup_plan_add(plan, CGROUP_MEMORY, CGROUP_WRITE_OPTIONAL, "memory.swap.max", "%" PRId64, swap->value - memory->value);
    } else if (swap->set || (memory->set && memory->value < 0)) {
        cgroup_plan_add(plan, CGROUP_MEMORY, CGROUP_WRITE_OPTIONAL, "memory.swap.max", "max");
    }
    if (memory->set) {
        add_number(plan, CGROUP_MEMORY, "memory.max", memory->value);
    }
    if (limits->memory_reservation_bytes.set) {
        add_number(plan, CGROUP_MEMORY, "memory.low", limits->memory_reservation_bytes.value);
    }
    return 0;
}

static void plan_cpu(const struct cgroup_limits *limits, struct cgroup_plan *plan) {
    if (limits->cpu_idle.set) {
        cgroup_plan_add(plan, CGROUP_CPU, 0, "cpu.idle", "%" PRId64, limits->cpu_idle.value);
    }
    // A group that runs only when nothing else does has no weight, and refuses one. 0 shares are none asked for.
    bool idle = limits->cpu_idle.set && limits->cpu_idle.value == 1;
    if (limits->cpu_shares.set && limits->cpu_shares.value > 0 && !idle) {
        cgroup_plan_add(plan, CGROUP_CPU, 0, "cpu.weight", "%" PRIu64, cgroup_weight_of_shares((uint64_t)limits->cpu_shares.value));
    }
    if (limits->cpu_quota_us.set || limits->cpu_period_us.set) {
        char quota[24] = "max", period[24] = "";
        if (limits->cpu_quota_us.set && limits->cpu_quota_us.value > 0) {
            snprintf(quota, sizeof(quota), "%" PRId64, limits->cpu_quota_us.value);
        }
        if (limits->cpu_period_us.set) {
            snprintf(period, sizeof(period), " %" PRId64, limits->cpu_period_us.value);
        }
        cgroup_plan_add(plan, CGROUP_CPU, limits->cpu_burst_us.set ? CGROUP_WRITE_AFTER_NEXT : 0, "cpu.max", "%s%s", quota, period);
    }
    if (limits->cpu_burst_us.set) {
        cgroup_plan_add(plan, CGROUP_CPU, 0, "cpu.max.burst", "%" PRId64, limits->cpu_burst_us.value);
    }
}

static void plan_io(const struct cgroup_limits *limits, struct cgroup_plan *plan) {
    // The BFQ scheduler has a weight file of its own, with version 1's range; the other one is the cost model's (iocost).
    if (limits->io_weight.set) {
        cgroup_plan_add(plan, CGROUP_IO, CGROUP_WRITE_OR_NEXT, "io.bfq.weight", "%" PRId64, limits->io_weight.value);
        cgroup_plan_add(plan, CGROUP_IO, 0, "io.weight", "%" PRIu64, io_weight(limits->io_weight.value));
    }
    for (size_t i = 0; i < limits->io_device_weights.count; i++) {
        const struct cgroup_io_limit *item = &limits->io_device_weights.items[i];
        cgroup_plan_add(plan, CGROUP_IO, CGROUP_WRITE_OR_NEXT, "io.bfq.weight", "%u:%u %" PRIu64, item->major, item->minor,
                        item->value);
        cgroup_plan_add(plan, CGROUP_IO, 0, "io.weight", "%u:%u %" PRIu64, item->major, item->minor,
                        item->value < 10 ? 1 : io_weight((int64_t)item->value));
    }
    const struct {
        const struct cgroup_io_limits *list;
        const char *key;
    } throttles[] = {
        {&limits->io_read_bytes, "rbps"},
        {&limits->io_write_bytes, "wbps"},
        {&limits->io_reads, "riops"},
        {&limits->io_writes, "wiops"},
    };
    for (size_t i = 0; i < ARRAY_LEN(throttles); i++) {
        for (size_t j = 0; j < throttles[i].list->count; j++) {
            const struct cgroup_io_limit *item = &throttles[i].list->items[j];
            if (item->value == 0) { // version 1's word for "no limit"
                cgroup_plan_add(plan, CGROUP_IO, 0, "io.max", "%u:%u %s=max", item->major, item->minor, throttles[i].key);
            } else {
                cgroup_plan_add(plan, CGROUP_IO, 0, "io.max", "%u:%u %s=%" PRIu64, item->major, item->minor, throttles[i].key,
                                item->value);
            }
        }
    }
}

static void plan_hugetlb(const struct cgroup_limits *limits, struct cgroup_plan *plan) {
    for (size_t i = 0; i < limits->hugetlb_count; i++) {
        const struct cgroup_hugetlb_limit *limit = &limits->hugetlb[i];
        cgroup_plan_add(plan, CGROUP_HUGETLB, 0, arena_format(&plan->arena, "hugetlb.%s.max", limit->page_size), "%" PRIu64,
                        limit->limit_bytes);
        // What is reserved by mmap but not touched yet is counted apart since Linux 5.7.
        cgroup_plan_add(plan, CGROUP_HUGETLB, CGROUP_WRITE_OPTIONAL,
                        arena_format(&plan->arena, "hugetlb.%s.rsvd.max", limit->page_size), "%" PRIu64, limit->limit_bytes);
    }
}

static int plan_unified(const struct cgroup_limits *limits, struct cgroup_plan *plan, struct err *err) {
    for (size_t i = 0; i < limits->unified_count; i++) {
        const char *file = limits->unified[i].file;
        AUTO_FREE char *name = mem_format("%.*s", (int)strcspn(file, "."), file);
        uint32_t mask = cgroup_controller_mask(name);
        // "cgroup.*" files belong to no controller; they are there already, so none is enabled for them.
        bool core = strcmp(name, "cgroup") == 0;
        if (mask == 0 && !core) {
            return err_set(err, ERR_UNSUPPORTED, "cgroup file %s: there is no controller \"%s\"", file, name);
        }
        enum cgroup_controller controller = core ? CGROUP_UNIFIED : (enum cgroup_controller)__builtin_ctz(mask);
        cgroup_plan_add(plan, controller, 0, file, "%s", limits->unified[i].value);
    }
    return 0;
}

int cgroup_plan_v2(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan, struct err *err) {
    if (controllers == CGROUP_ALL && refuse(limits, err) < 0) {
        return -1;
    }
    if ((controllers & CGROUP_MASK(CGROUP_MEMORY)) != 0 && plan_memory(limits, plan, err) < 0) {
        return -1;
    }
    if ((controllers & CGROUP_MASK(CGROUP_CPU)) != 0) {
        plan_cpu(limits, plan);
    }
    if ((controllers & CGROUP_MASK(CGROUP_IO)) != 0) {
        plan_io(limits, plan);
    }
    if ((controllers & CGROUP_MASK(CGROUP_HUGETLB)) != 0) {
        plan_hugetlb(limits, plan);
    }
    cgroup_plan_common(limits, controllers, plan);
    return controllers == CGROUP_ALL ? plan_unified(limits, plan, err) : 0;
}

// What cgroup.subtree_control is told: "+memory +pids".
static void enable_text(uint32_t controllers, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < CGROUP_CONTROLLER_COUNT && used < size; i++) {
        if ((controllers & CGROUP_MASK(i)) != 0) {
            used += (size_t)snprintf(text + used, size - used, "%s+%s", used ? " " : "",
                                     cgroup_controller_name((enum cgroup_controller)i));
        }
    }
}

static uint32_t available(int dir_fd) {
    char text[CGROUP_TEXT_SIZE];
    uint32_t mask = 0;
    if (cgroup_read_text(dir_fd, "cgroup.controllers", text) < 0) {
        return 0;
    }
    char *state = NULL;
    for (char *name = strtok_r(text, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
        mask |= cgroup_controller_mask(name);
    }
    return mask;
}

static int not_enabled(int errnum, int dir_fd, const char *parent, uint32_t controllers, struct err *err) {
    uint32_t absent = controllers & ~available(dir_fd);
    if (absent != 0) {
        return err_set(err, ERR_UNSUPPORTED,
                       *parent
                           ? "cgroup controller %s is not delegated to /sys/fs/cgroup/%s (its cgroup.controllers lacks it): "
                             "with systemd, set Delegate=yes on the unit that holds it"
                           : "cgroup controller %s is not available on this host (/sys/fs/cgroup/%scgroup.controllers lacks it)",
                       cgroup_controller_name((enum cgroup_controller)__builtin_ctz(absent)), parent);
    }
    char text[256];
    enable_text(controllers, text, sizeof(text));
    if (errnum == EBUSY) {
        return err_num(
            err, errnum,
            "enable cgroup controllers %s below /sys/fs/cgroup/%s: processes live in it, and version 2 gives controllers "
            "only to the children of a group without any",
            text, parent);
    }
    return err_num(err, errnum, "enable cgroup controllers %s below /sys/fs/cgroup/%s", text, parent);
}

// Enables the controllers for the children of `parent`, whose own parents are asked first only when it lacks one of them.
static int enable_below(int host_fd, const char *parent, size_t prefix, uint32_t controllers, struct err *err) {
    char text[256];
    enable_text(controllers, text, sizeof(text));
    AUTO_FD int fd = cgroup_open_below(host_fd, parent, O_PATH | O_DIRECTORY);
    if (fd < 0) {
        return err_sys(err, "open cgroup /sys/fs/cgroup/%s", parent);
    }
    if (cgroup_write_text(fd, "cgroup.subtree_control", text) == 0) {
        return 0;
    }
    int saved = errno;
    if (saved == ENOENT && strlen(parent) > prefix) {
        const char *slash = strrchr(parent, '/');
        AUTO_FREE char *above = mem_format("%.*s", slash ? (int)(slash - parent) : 0, parent);
        if (enable_below(host_fd, above, prefix, controllers, err) < 0) {
            return -1;
        }
        if (cgroup_write_text(fd, "cgroup.subtree_control", text) == 0) {
            return 0;
        }
        saved = errno;
    }
    return not_enabled(saved, fd, parent, controllers, err);
}

int cgroup_enable(const struct cgroup_dir *dir, int host_fd, uint32_t controllers, struct err *err) {
    // Files that belong to no controller are there or not.
    controllers &= ~CGROUP_MASK(CGROUP_UNIFIED);
    const char *slash = strrchr(dir->path, '/');
    AUTO_FREE char *parent = mem_format("%.*s", slash ? (int)(slash - dir->path) : 0, dir->path);
    return controllers == 0 ? 0 : enable_below(host_fd, parent, strlen(dir->hierarchy->name), controllers, err);
}

int cgroup_enable_available(const struct cgroup_dir *dir, int host_fd, uint32_t controllers, struct err *err) {
    // The path's levels from the group upwards: what the lowest lacks may be had from above.
    uint32_t wanted = controllers & ~available(dir->fd);
    AUTO_FD int root = cgroup_open_below(host_fd, dir->hierarchy->name, O_PATH | O_DIRECTORY);
    if (root < 0) {
        return err_sys(err, "open /sys/fs/cgroup/%s", dir->hierarchy->name);
    }
    wanted &= wanted ? available(root) : 0;
    if (wanted == 0) {
        return 0;
    }
    // Each by itself: one that a level in between withholds must not take the others with it.
    struct err unused;
    if (cgroup_enable(dir, host_fd, wanted, &unused) == 0) {
        return 0;
    }
    for (unsigned i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
        if ((wanted & CGROUP_MASK(i)) != 0 && cgroup_enable(dir, host_fd, CGROUP_MASK(i), &unused) < 0) {
            continue;
        }
    }
    return 0;
}
