// Being told when a group runs out of memory: by memory.events on version 2, by an eventfd on version 1.
#ifndef COFFER_KERNEL_CGROUP_OOM_H
#define COFFER_KERNEL_CGROUP_OOM_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct cgroup;
struct err;

struct cgroup_oom {
    int fd;         // to poll(2) for `events`; -1 where the group has no memory controller, and nothing will ever be told
    short events;
    int dir_fd;     // borrowed
    uint64_t count; // version 2: how often it was killed for memory so far
};

int cgroup_oom_watch(const struct cgroup *cgroup, struct cgroup_oom *ret, struct err *err) MUST_CHECK;

// To be called when poll(2) says so: how often there was no memory left since the last time. 0 also when the group was removed.
uint64_t cgroup_oom_take(struct cgroup_oom *oom);

void cgroup_oom_finish(struct cgroup_oom *oom);
#define AUTO_CGROUP_OOM AUTO(cgroup_oom_finish)

#endif
