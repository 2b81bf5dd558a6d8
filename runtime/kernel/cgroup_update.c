// Limits of a group in use.
//
// Limits hang together: version 2 counts swap by itself where the specification counts memory and swap together, and wants the quota
// written with the period. What an update leaves out is therefore taken from what the group has now, so that nothing need be
// remembered elsewhere and changes that others have made count too.
#include "runtime/kernel/cgroup.h"

#include "runtime/base/err.h"
#include "runtime/kernel/cgroup_file.h"
#include "runtime/kernel/cgroup_plan.h"

#include <inttypes.h>
#include <string.h>

static int above_sum(uint64_t memory, uint64_t sum, struct err *err) {
    return err_set(err, ERR_INPUT, "memory limit of %" PRIu64 " bytes is above the limit of memory and swap together, %" PRIu64
                   " bytes; give a new one of those too", memory, sum);
}

static int complete_memory_v2(int dir_fd, struct cgroup_limits *limits, struct err *err) {
    struct cgroup_value *memory = &limits->memory_bytes, *swap = &limits->memory_swap_bytes;
    uint64_t memory_now = memory->set != swap->set ? cgroup_read_number(dir_fd, "memory.max") : CGROUP_UNKNOWN;
    if (memory_now == CGROUP_UNKNOWN) {
        return 0;
    }
    if (swap->set && swap->value >= 0) {
        *memory = CGROUP_VALUE((int64_t)memory_now);
        return (uint64_t)swap->value < memory_now ? above_sum(memory_now, (uint64_t)swap->value, err) : 0;
    }
    uint64_t swap_now = memory->set && memory->value >= 0 ? cgroup_read_number(dir_fd, "memory.swap.max") : CGROUP_UNKNOWN;
    if (swap_now == CGROUP_UNKNOWN) {
        return 0;
    }
    uint64_t sum = memory_now + swap_now;
    if ((uint64_t)memory->value > sum) {
        return above_sum((uint64_t)memory->value, sum, err);
    }
    *swap = CGROUP_VALUE((int64_t)sum);
    return 0;
}

// Version 1 has the same two limits as the specification, but says no more than "Invalid argument".
static int check_memory_v1(int dir_fd, const struct cgroup_limits *limits, struct err *err) {
    const struct cgroup_value *memory = &limits->memory_bytes, *swap = &limits->memory_swap_bytes;
    if (dir_fd < 0 || memory->set == swap->set || memory->value < 0 || swap->value < 0) {
        return 0;
    }
    uint64_t memory_then = memory->set ? (uint64_t)memory->value : cgroup_read_number(dir_fd, "memory.limit_in_bytes");
    uint64_t sum_then = swap->set ? (uint64_t)swap->value : cgroup_read_number(dir_fd, "memory.memsw.limit_in_bytes");
    return memory_then > sum_then ? above_sum(memory_then, sum_then, err) : 0;
}

static void complete_quota_v2(int dir_fd, struct cgroup_limits *limits) {
    uint64_t quota = limits->cpu_period_us.set && !limits->cpu_quota_us.set ? cgroup_read_number(dir_fd, "cpu.max") : CGROUP_UNKNOWN;
    if (quota != CGROUP_UNKNOWN) {
        limits->cpu_quota_us = CGROUP_VALUE((int64_t)quota);
    }
}

int cgroup_update(struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    struct cgroup_limits whole = *limits;
    if (cgroup->count > 0 && cgroup->host->version == CGROUP_V2) {
        complete_quota_v2(cgroup_v2_fd(cgroup), &whole);
        if (complete_memory_v2(cgroup_v2_fd(cgroup), &whole, err) < 0) {
            return -1;
        }
    } else if (cgroup->count > 0 && check_memory_v1(cgroup_dir_fd(cgroup, CGROUP_MEMORY), &whole, err) < 0) {
        return -1;
    }
    return cgroup_change(cgroup, &whole, err);
}
