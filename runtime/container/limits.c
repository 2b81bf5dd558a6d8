#include "runtime/container/limits.h"

#include "runtime/base/arena.h"
#include "runtime/base/log.h"
#include "runtime/kernel/cgroup_limits.h"
#include "specs/oci_config.h"

#include <string.h>

#define VALUE(optional) ((struct cgroup_value){.set = (optional).set, .value = (int64_t)(optional).value})
// Engines write 0 for what nobody asked for.
#define NONZERO(optional) ((struct cgroup_value){.set = (optional).set && (optional).value != 0, .value = (int64_t)(optional).value})

static unsigned device_access(const char *letters) {
    unsigned access = 0;
    for (const char *at = letters ? letters : "rwm"; *at; at++) {
        access |= *at == 'r' ? CGROUP_DEVICE_READ : *at == 'w' ? CGROUP_DEVICE_WRITE : *at == 'm' ? CGROUP_DEVICE_MKNOD : 0;
    }
    return access;
}

// The rules of the configuration in their order, then those that every container has.
void limits_add_devices(const struct oci_resources *resources, struct arena *arena, struct cgroup_limits *limits) {
    size_t count = resources->devices_count + cgroup_device_default_count;
    struct cgroup_device_rule *rules = arena_array(arena, count, sizeof(*rules));
    for (size_t i = 0; i < resources->devices_count; i++) {
        const struct oci_device_rule *from = &resources->devices[i];
        rules[i] = (struct cgroup_device_rule){
            .allow = from->allow,
            .type = from->type ? from->type : 'a',
            .major = from->major.set ? from->major.value : CGROUP_DEVICE_ANY,
            .minor = from->minor.set ? from->minor.value : CGROUP_DEVICE_ANY,
            .access = device_access(from->access),
        };
    }
    memcpy(rules + resources->devices_count, cgroup_device_defaults, cgroup_device_default_count * sizeof(*rules));
    limits->devices = rules;
    limits->device_count = count;
}

static struct cgroup_io_limits io_limits(struct arena *arena, const struct oci_block_throttle *from, size_t count) {
    struct cgroup_io_limit *items = arena_array(arena, count, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct cgroup_io_limit){(uint32_t)from[i].major, (uint32_t)from[i].minor, from[i].rate};
    }
    return (struct cgroup_io_limits){items, count};
}

static void take_io(const struct oci_block_io *from, struct arena *arena, struct cgroup_limits *limits) {
    limits->io_weight = NONZERO(from->weight);
    limits->io_leaf_weight = NONZERO(from->leaf_weight);
    struct cgroup_io_limit *weights = arena_array(arena, from->weight_devices_count, sizeof(*weights));
    struct cgroup_io_limit *leaves = arena_array(arena, from->weight_devices_count, sizeof(*leaves));
    size_t weight_count = 0, leaf_count = 0;
    for (size_t i = 0; i < from->weight_devices_count; i++) {
        const struct oci_block_weight *device = &from->weight_devices[i];
        if (device->weight.set) {
            weights[weight_count++] =
                (struct cgroup_io_limit){(uint32_t)device->major, (uint32_t)device->minor, device->weight.value};
        }
        if (device->leaf_weight.set) {
            leaves[leaf_count++] =
                (struct cgroup_io_limit){(uint32_t)device->major, (uint32_t)device->minor, device->leaf_weight.value};
        }
    }
    limits->io_device_weights = (struct cgroup_io_limits){weights, weight_count};
    limits->io_device_leaf_weights = (struct cgroup_io_limits){leaves, leaf_count};
    struct cgroup_io_limits *const throttles[OCI_THROTTLE_KIND_COUNT] = {
        [OCI_THROTTLE_READ_BPS] = &limits->io_read_bytes,
        [OCI_THROTTLE_WRITE_BPS] = &limits->io_write_bytes,
        [OCI_THROTTLE_READ_IOPS] = &limits->io_reads,
        [OCI_THROTTLE_WRITE_IOPS] = &limits->io_writes,
    };
    for (size_t i = 0; i < OCI_THROTTLE_KIND_COUNT; i++) {
        *throttles[i] = io_limits(arena, from->throttles[i].items, from->throttles[i].items_count);
    }
}

static void take_lists(const struct oci_resources *from, struct arena *arena, struct cgroup_limits *limits) {
    struct cgroup_hugetlb_limit *pages = arena_array(arena, from->hugepage_limits_count, sizeof(*pages));
    for (size_t i = 0; i < from->hugepage_limits_count; i++) {
        pages[i] = (struct cgroup_hugetlb_limit){from->hugepage_limits[i].page_size, from->hugepage_limits[i].limit};
    }
    struct cgroup_rdma_limit *rdma = arena_array(arena, from->rdma_count, sizeof(*rdma));
    for (size_t i = 0; i < from->rdma_count; i++) {
        rdma[i] = (struct cgroup_rdma_limit){from->rdma[i].name, VALUE(from->rdma[i].hca_handles), VALUE(from->rdma[i].hca_objects)};
    }
    struct cgroup_network_priority *priorities = arena_array(arena, from->net_priorities_count, sizeof(*priorities));
    for (size_t i = 0; i < from->net_priorities_count; i++) {
        priorities[i] = (struct cgroup_network_priority){from->net_priorities[i].name, from->net_priorities[i].priority};
    }
    struct cgroup_key *keys = arena_array(arena, from->unified_count, sizeof(*keys));
    for (size_t i = 0; i < from->unified_count; i++) {
        keys[i] = (struct cgroup_key){from->unified[i].name, from->unified[i].value};
    }
    limits->hugetlb = pages;
    limits->hugetlb_count = from->hugepage_limits_count;
    limits->rdma = rdma;
    limits->rdma_count = from->rdma_count;
    limits->network_class = VALUE(from->net_class_id);
    limits->network_priorities = priorities;
    limits->network_priority_count = from->net_priorities_count;
    limits->unified = keys;
    limits->unified_count = from->unified_count;
}

void limits_take(const struct oci_resources *from, struct arena *arena, struct cgroup_limits *limits) {
    *limits = (struct cgroup_limits){
        .memory_bytes = NONZERO(from->memory.limit),
        .memory_reservation_bytes = NONZERO(from->memory.reservation),
        .memory_swap_bytes = NONZERO(from->memory.swap),
        .memory_swap_by_default = from->memory.swap_by_default,
        .memory_kernel_tcp_bytes = NONZERO(from->memory.kernel_tcp),
        .memory_swappiness = VALUE(from->memory.swappiness),
        .memory_disable_oom_killer = from->memory.disable_oom_killer.value,
        .memory_check_before_update = from->memory.check_before_update,
        .cpu_shares = NONZERO(from->cpu.shares),
        .cpu_quota_us = NONZERO(from->cpu.quota),
        .cpu_period_us = NONZERO(from->cpu.period),
        .cpu_burst_us = VALUE(from->cpu.burst),
        .cpu_idle = VALUE(from->cpu.idle),
        .cpu_realtime_runtime_us = NONZERO(from->cpu.realtime_runtime),
        .cpu_realtime_period_us = NONZERO(from->cpu.realtime_period),
        .cpuset_cpus = from->cpu.cpus,
        .cpuset_mems = from->cpu.mems,
        .pids = VALUE(from->pids_limit),
    };
    if (limits->pids.set && limits->pids.value < 0) {
        limits->pids.value = -1;
    }
    take_io(&from->block_io, arena, limits);
    take_lists(from, arena, limits);
    if (from->memory.kernel.set && from->memory.kernel.value > 0) {
        log_warn("resources.memory.kernel is obsolete: kernel memory counts with the rest, and has no limit of its own");
    }
}
