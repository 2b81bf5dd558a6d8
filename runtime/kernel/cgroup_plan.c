#include "runtime/kernel/cgroup_plan.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cgroup_plan_finish(struct cgroup_plan *plan) {
    arena_finish(&plan->arena);
    free(plan->items);
    *plan = (struct cgroup_plan){0};
}

void cgroup_plan_add(struct cgroup_plan *plan, enum cgroup_controller controller, unsigned flags, const char *file,
                     const char *format, ...) {
    if (plan->count == plan->room) {
        plan->room = plan->room ? plan->room * 2 : 16;
        plan->items = mem_resize(plan->items, plan->room, sizeof(*plan->items));
    }
    char text[CGROUP_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    plan->items[plan->count++] = (struct cgroup_write){
        .controller = controller,
        .flags = flags,
        .file = file,
        .text = arena_copy_string(&plan->arena, text),
    };
}

void cgroup_plan_common(const struct cgroup_limits *limits, uint32_t controllers, struct cgroup_plan *plan) {
    if ((controllers & CGROUP_MASK(CGROUP_CPUSET)) != 0 && limits->cpuset_cpus && *limits->cpuset_cpus) {
        cgroup_plan_add(plan, CGROUP_CPUSET, 0, "cpuset.cpus", "%s", limits->cpuset_cpus);
    }
    if ((controllers & CGROUP_MASK(CGROUP_CPUSET)) != 0 && limits->cpuset_mems && *limits->cpuset_mems) {
        cgroup_plan_add(plan, CGROUP_CPUSET, 0, "cpuset.mems", "%s", limits->cpuset_mems);
    }
    if ((controllers & CGROUP_MASK(CGROUP_PIDS)) != 0 && limits->pids.set) {
        if (limits->pids.value < 0) {
            cgroup_plan_add(plan, CGROUP_PIDS, 0, "pids.max", "max");
        } else {
            cgroup_plan_add(plan, CGROUP_PIDS, 0, "pids.max", "%" PRId64, limits->pids.value);
        }
    }
    for (size_t i = 0; (controllers & CGROUP_MASK(CGROUP_RDMA)) != 0 && i < limits->rdma_count; i++) {
        const struct cgroup_rdma_limit *limit = &limits->rdma[i];
        char handles[48] = "", objects[48] = "";
        if (limit->handles.set) {
            snprintf(handles, sizeof(handles), " hca_handle=%" PRId64, limit->handles.value);
        }
        if (limit->objects.set) {
            snprintf(objects, sizeof(objects), " hca_object=%" PRId64, limit->objects.value);
        }
        cgroup_plan_add(plan, CGROUP_RDMA, 0, "rdma.max", "%s%s%s", limit->device, handles, objects);
    }
}

// Limits that are a plain number: what they may be. Files refuse more by themselves, but with "Invalid argument" alone.
static const struct {
    size_t offset;
    const char *name;
    int64_t least;
    int64_t most;
} ranges[] = {
    {offsetof(struct cgroup_limits, memory_bytes), "memory limit", -1, INT64_MAX},
    {offsetof(struct cgroup_limits, memory_reservation_bytes), "memory reservation", -1, INT64_MAX},
    {offsetof(struct cgroup_limits, memory_swap_bytes), "limit of memory and swap", -1, INT64_MAX},
    {offsetof(struct cgroup_limits, memory_swappiness), "memory swappiness", 0, 100},
    {offsetof(struct cgroup_limits, cpu_shares), "cpu shares", 0, INT64_MAX},
    {offsetof(struct cgroup_limits, cpu_quota_us), "cpu quota", -1, INT64_MAX},
    {offsetof(struct cgroup_limits, cpu_period_us), "cpu period", 1, INT64_MAX},
    {offsetof(struct cgroup_limits, cpu_burst_us), "cpu burst", 0, INT64_MAX},
    {offsetof(struct cgroup_limits, cpu_idle), "cpu idle", 0, 1},
    {offsetof(struct cgroup_limits, pids), "limit of processes", -1, INT64_MAX},
    {offsetof(struct cgroup_limits, io_weight), "io weight", 10, 1000},
    {offsetof(struct cgroup_limits, io_leaf_weight), "io leaf weight", 10, 1000},
    {offsetof(struct cgroup_limits, network_class), "network class", 0, UINT32_MAX},
};

// A name that becomes part of a file's name or of a line in it.
static int check_word(const char *what, const char *word, struct err *err) {
    if (!*word || strpbrk(word, "/ \n") || strlen(word) > 64) {
        return err_set(err, ERR_INPUT, "%s \"%s\" is not a single word", what, word);
    }
    return 0;
}

static int check_words(const struct cgroup_limits *limits, struct err *err) {
    for (size_t i = 0; i < limits->hugetlb_count; i++) {
        if (check_word("huge page size", limits->hugetlb[i].page_size, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < limits->rdma_count; i++) {
        if (check_word("rdma device", limits->rdma[i].device, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < limits->network_priority_count; i++) {
        if (check_word("network interface", limits->network_priorities[i].interface, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < limits->unified_count; i++) {
        const char *file = limits->unified[i].file;
        if (check_word("cgroup file", file, err) < 0) {
            return -1;
        }
        if (!strchr(file, '.') || file[0] == '.') {
            return err_set(err, ERR_INPUT, "cgroup file \"%s\" has no controller in front of a dot", file);
        }
        if (strlen(limits->unified[i].value) >= CGROUP_TEXT_SIZE) {
            return err_set(err, ERR_INPUT, "cgroup file %s: the value is longer than %d bytes", file, CGROUP_TEXT_SIZE - 1);
        }
    }
    return 0;
}

int cgroup_check_limits(const struct cgroup_limits *limits, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        const struct cgroup_value *value = (const struct cgroup_value *)(const void *)((const char *)limits + ranges[i].offset);
        if (value->set && (value->value < ranges[i].least || value->value > ranges[i].most)) {
            return err_set(err, ERR_INPUT, "%s is %" PRId64 ", expected %" PRId64 " to %" PRId64, ranges[i].name, value->value,
                           ranges[i].least, ranges[i].most);
        }
    }
    const struct cgroup_value *swap = &limits->memory_swap_bytes;
    const struct cgroup_value *memory = &limits->memory_bytes;
    if (swap->set && swap->value >= 0 && memory->set && (memory->value < 0 || swap->value < memory->value)) {
        return err_set(err, ERR_INPUT, "limit of memory and swap together (%" PRId64 ") is below the limit of memory (%" PRId64 ")",
                       swap->value, memory->value);
    }
    const struct cgroup_value *quota = &limits->cpu_quota_us;
    if (limits->cpu_burst_us.set && quota->set && quota->value > 0 && limits->cpu_burst_us.value > quota->value) {
        return err_set(err, ERR_INPUT, "cpu burst (%" PRId64 " us) is above the cpu quota (%" PRId64 " us)",
                       limits->cpu_burst_us.value, quota->value);
    }
    return check_words(limits, err);
}

uint32_t cgroup_limits_controllers(const struct cgroup_limits *limits) {
    struct err unused;
    AUTO_CGROUP_PLAN struct cgroup_plan plan = {0};
    struct cgroup_limits copy = *limits;
    copy.unified_count = 0;
    uint32_t mask = limits->device_count > 0 ? CGROUP_MASK(CGROUP_DEVICES) : 0;
    if (cgroup_plan_v1(&copy, CGROUP_ALL, &plan, &unused) == 0) {
        for (size_t i = 0; i < plan.count; i++) {
            mask |= CGROUP_MASK(plan.items[i].controller);
        }
    }
    return mask;
}

bool cgroup_limits_asked(const struct cgroup_limits *limits) {
    const struct cgroup_value values[] = {
        limits->memory_bytes,   limits->memory_reservation_bytes, limits->memory_swap_bytes,       limits->memory_kernel_tcp_bytes,
        limits->cpu_shares,     limits->cpu_quota_us,             limits->cpu_period_us,           limits->cpu_burst_us,
        limits->cpu_idle,       limits->cpu_realtime_runtime_us,  limits->cpu_realtime_period_us,  limits->pids,
        limits->io_weight,      limits->io_leaf_weight,           limits->network_class,
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (values[i].set && values[i].value != -1) {
            return true;
        }
    }
    return limits->memory_swappiness.set || limits->memory_disable_oom_killer || (limits->cpuset_cpus && *limits->cpuset_cpus) ||
           (limits->cpuset_mems && *limits->cpuset_mems) ||
           limits->io_device_weights.count || limits->io_device_leaf_weights.count || limits->io_read_bytes.count ||
           limits->io_write_bytes.count || limits->io_reads.count || limits->io_writes.count || limits->hugetlb_count ||
           limits->rdma_count || limits->network_priority_count || limits->unified_count;
}
