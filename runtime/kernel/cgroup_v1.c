#include "runtime/kernel/cgroup_plan.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

// Limits that are one number in one file. Order counts where the kernel checks one against another.
// clang-format off
static const struct {
    enum cgroup_controller controller;
    unsigned flags;
    size_t offset;
    const char *file;
} rows[] = {
    {CGROUP_MEMORY, CGROUP_WRITE_AFTER_NEXT, offsetof(struct cgroup_limits, memory_bytes), "memory.limit_in_bytes"},
    {CGROUP_MEMORY, 0, offsetof(struct cgroup_limits, memory_swap_bytes), "memory.memsw.limit_in_bytes"},
    {CGROUP_MEMORY, 0, offsetof(struct cgroup_limits, memory_reservation_bytes), "memory.soft_limit_in_bytes"},
    {CGROUP_MEMORY, 0, offsetof(struct cgroup_limits, memory_kernel_tcp_bytes), "memory.kmem.tcp.limit_in_bytes"},
    {CGROUP_MEMORY, 0, offsetof(struct cgroup_limits, memory_swappiness), "memory.swappiness"},
    {CGROUP_CPU, 0, offsetof(struct cgroup_limits, cpu_idle), "cpu.idle"},
    {CGROUP_CPU, CGROUP_WRITE_AFTER_NEXT, offsetof(struct cgroup_limits, cpu_period_us), "cpu.cfs_period_us"},
    {CGROUP_CPU, CGROUP_WRITE_AFTER_NEXT, offsetof(struct cgroup_limits, cpu_quota_us), "cpu.cfs_quota_us"},
    {CGROUP_CPU, 0, offsetof(struct cgroup_limits, cpu_burst_us), "cpu.cfs_burst_us"},
    {CGROUP_CPU, CGROUP_WRITE_AFTER_NEXT, offsetof(struct cgroup_limits, cpu_realtime_period_us), "cpu.rt_period_us"},
    {CGROUP_CPU, 0, offsetof(struct cgroup_limits, cpu_realtime_runtime_us), "cpu.rt_runtime_us"},
    {CGROUP_IO, CGROUP_WRITE_OR_NEXT, offsetof(struct cgroup_limits, io_weight), "blkio.weight"},
    {CGROUP_IO, 0, offsetof(struct cgroup_limits, io_weight), "blkio.bfq.weight"},
    {CGROUP_IO, 0, offsetof(struct cgroup_limits, io_leaf_weight), "blkio.leaf_weight"},
    {CGROUP_NET_CLS, 0, offsetof(struct cgroup_limits, network_class), "net_cls.classid"},
};

// Limits that are a list of block devices: one write for each, "MAJOR:MINOR NUMBER".
static const struct {
    unsigned flags;
    size_t offset;
    const char *file;
} device_rows[] = {
    {CGROUP_WRITE_OR_NEXT, offsetof(struct cgroup_limits, io_device_weights), "blkio.weight_device"},
    {0, offsetof(struct cgroup_limits, io_device_leaf_weights), "blkio.leaf_weight_device"},
    {0, offsetof(struct cgroup_limits, io_read_bytes), "blkio.throttle.read_bps_device"},
    {0, offsetof(struct cgroup_limits, io_write_bytes), "blkio.throttle.write_bps_device"},
    {0, offsetof(struct cgroup_limits, io_reads), "blkio.throttle.read_iops_device"},
    {0, offsetof(struct cgroup_limits, io_writes), "blkio.throttle.write_iops_device"},
};
// clang-format on

static const void *field(const struct cgroup_limits *limits, size_t offset) {
    return (const char *)limits + offset;
}

static void plan_io_devices(const struct cgroup_limits *limits, struct cgroup_plan *plan) {
    for (size_t i = 0; i < ARRAY_LEN(device_rows); i++) {
        const struct cgroup_io_limits *list = field(limits, device_rows[i].offset);
        for (size_t j = 0; j < list->count; j++) {
            const struct cgroup_io_limit *item = &list->items[j];
            cgroup_plan_add(plan, CGROUP_IO, device_rows[i].flags, device_rows[i].file, "%u:%u %" PRIu64, item->major, item->minor,
                            item->value);
            if (device_rows[i].flags & CGROUP_WRITE_OR_NEXT) {
                cgroup_plan_add(plan, CGROUP_IO, 0, "blkio.bfq.weight_device", "%u:%u %" PRIu64, item->major, item->minor,
                                item->value);
            }
        }
    }
}

static void plan_lists(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan) {
    for (size_t i = 0; controllers & CGROUP_MASK(CGROUP_HUGETLB) && i < limits->hugetlb_count; i++) {
        const struct cgroup_hugetlb_limit *limit = &limits->hugetlb[i];
        cgroup_plan_add(plan, CGROUP_HUGETLB, 0, arena_format(&plan->arena, "hugetlb.%s.limit_in_bytes", limit->page_size),
                        "%" PRIu64, limit->limit_bytes);
        // What is reserved by mmap but not touched yet is counted apart since Linux 5.7.
        cgroup_plan_add(plan, CGROUP_HUGETLB, CGROUP_WRITE_OPTIONAL,
                        arena_format(&plan->arena, "hugetlb.%s.rsvd.limit_in_bytes", limit->page_size), "%" PRIu64,
                        limit->limit_bytes);
    }
    for (size_t i = 0; controllers & CGROUP_MASK(CGROUP_NET_PRIO) && i < limits->network_priority_count; i++) {
        cgroup_plan_add(plan, CGROUP_NET_PRIO, 0, "net_prio.ifpriomap", "%s %u", limits->network_priorities[i].interface,
                        limits->network_priorities[i].priority);
    }
}

static void plan_numbers(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct cgroup_value *value = field(limits, rows[i].offset);
        if (!value->set || (controllers & CGROUP_MASK(rows[i].controller)) == 0) {
            continue;
        }
        unsigned flags = rows[i].flags;
        if (i + 1 == ARRAY_LEN(rows) || !((const struct cgroup_value *)field(limits, rows[i + 1].offset))->set) {
            flags &= ~(unsigned)CGROUP_WRITE_AFTER_NEXT;
        }
        if (value == &limits->memory_swap_bytes && limits->memory_swap_by_default) {
            flags |= CGROUP_WRITE_OPTIONAL;
        }
        cgroup_plan_add(plan, rows[i].controller, flags, rows[i].file, "%" PRId64, value->value);
    }
}

int cgroup_plan_v1(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan, struct err *err) {
    if (limits->unified_count > 0) {
        return err_set(err, ERR_UNSUPPORTED, "cgroup file %s can be set on version 2 only, this host has version 1",
                       limits->unified[0].file);
    }
    if ((controllers & CGROUP_MASK(CGROUP_MEMORY)) != 0) {
        // Without a limit on memory the sum of memory and swap has none either; it must be lifted first.
        if (limits->memory_bytes.set && limits->memory_bytes.value < 0 && !limits->memory_swap_bytes.set) {
            cgroup_plan_add(plan, CGROUP_MEMORY, CGROUP_WRITE_OPTIONAL, "memory.memsw.limit_in_bytes", "-1");
        }
        if (limits->memory_disable_oom_killer) {
            cgroup_plan_add(plan, CGROUP_MEMORY, 0, "memory.oom_control", "1");
        }
    }
    plan_numbers(limits, controllers, plan);
    // A group that runs only when nothing else does has no shares, and refuses them.
    bool idle = limits->cpu_idle.set && limits->cpu_idle.value == 1;
    if (limits->cpu_shares.set && !idle && (controllers & CGROUP_MASK(CGROUP_CPU)) != 0) {
        cgroup_plan_add(plan, CGROUP_CPU, 0, "cpu.shares", "%" PRId64, limits->cpu_shares.value);
    }
    if ((controllers & CGROUP_MASK(CGROUP_IO)) != 0) {
        plan_io_devices(limits, plan);
    }
    plan_lists(limits, controllers, plan);
    cgroup_plan_common(limits, controllers, plan);
    return 0;
}

// Copies one file from the parent of `path` when the group's own is empty, the parents' first.
static int inherit(int host_fd, const char *path, size_t prefix, const char *file, struct err *err) {
    char text[CGROUP_TEXT_SIZE];
    AUTO_FD int fd = cgroup_open_below(host_fd, path, O_PATH | O_DIRECTORY);
    if (fd < 0 || cgroup_read_text(fd, file, text) < 0) {
        return err_sys(err, "read /sys/fs/cgroup/%s/%s", path, file);
    }
    const char *slash = strrchr(path, '/');
    if (*text || !slash || (size_t)(slash - path) < prefix) {
        return 0;
    }
    AUTO_FREE char *parent = mem_format("%.*s", (int)(slash - path), path);
    if (inherit(host_fd, parent, prefix, file, err) < 0) {
        return -1;
    }
    AUTO_FD int parent_fd = cgroup_open_below(host_fd, parent, O_PATH | O_DIRECTORY);
    if (parent_fd < 0 || cgroup_read_text(parent_fd, file, text) < 0 || cgroup_write_text(fd, file, text) < 0) {
        return err_sys(err, "copy %s of its parent to cgroup /sys/fs/cgroup/%s", file, path);
    }
    return 0;
}

int cgroup_inherit_cpuset(const struct cgroup_dir *dir, int host_fd, struct err *err) {
    size_t prefix = strlen(dir->hierarchy->name);
    return inherit(host_fd, dir->path, prefix, "cpuset.cpus", err) < 0 ||
                   inherit(host_fd, dir->path, prefix, "cpuset.mems", err) < 0
               ? -1
               : 0;
}
