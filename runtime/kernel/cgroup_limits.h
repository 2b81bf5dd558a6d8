// The limits of a control group, as plain values with the meaning that the OCI runtime specification gives them (config-linux.md,
// "Control groups"), which is version 1's; the conversion to version 2 is done here.
//
// A zeroed struct has no limits. All pointers are borrowed.
#ifndef COFFER_KERNEL_CGROUP_LIMITS_H
#define COFFER_KERNEL_CGROUP_LIMITS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct cgroup_value {
    bool set;
    int64_t value;
};
#define CGROUP_VALUE(number) ((struct cgroup_value){.set = true, .value = (number)})

// A limit of one block device: a weight, bytes or operations a second.
struct cgroup_io_limit {
    uint32_t major;
    uint32_t minor;
    uint64_t value;
};

struct cgroup_io_limits {
    const struct cgroup_io_limit *items;
    size_t count;
};

struct cgroup_hugetlb_limit {
    const char *page_size; // "2MB", "1GB"
    uint64_t limit_bytes;
};

struct cgroup_rdma_limit {
    const char *device; // "mlx5_1"
    struct cgroup_value handles;
    struct cgroup_value objects;
};

struct cgroup_network_priority {
    const char *interface;
    uint32_t priority;
};

// A file of version 2 and what to write to it, verbatim.
struct cgroup_key {
    const char *file; // "memory.high"
    const char *value;
};

enum {
    CGROUP_DEVICE_READ = 1,
    CGROUP_DEVICE_WRITE = 2,
    CGROUP_DEVICE_MKNOD = 4,
    CGROUP_DEVICE_ALL = 7,
    CGROUP_DEVICE_ANY = -1, // any major or minor number
};

// The last rule that matches a device decides, for each kind of access by itself. What no rule matches is denied.
struct cgroup_device_rule {
    bool allow;
    char type;     // 'c', 'b', or 'a' for both
    int64_t major; // or CGROUP_DEVICE_ANY
    int64_t minor;
    unsigned access; // CGROUP_DEVICE_READ | ...
};

struct cgroup_limits {
    struct cgroup_value memory_bytes;             // -1 is without limit, in all of memory
    struct cgroup_value memory_reservation_bytes; // a soft limit; memory.low in version 2
    struct cgroup_value memory_swap_bytes;        // memory and swap together, at least memory_bytes
    bool memory_swap_by_default;                  // a kernel that counts no swap does without
    struct cgroup_value memory_kernel_tcp_bytes;  // version 1 only
    struct cgroup_value memory_swappiness;        // version 1 only, 0..100
    bool memory_disable_oom_killer;               // version 1 only
    bool memory_check_before_update;              // a limit below what is in use is an error, not a reason to kill

    struct cgroup_value cpu_shares;   // 2..262144, 1024 is usual
    struct cgroup_value cpu_quota_us; // in each period; -1 is without limit
    struct cgroup_value cpu_period_us;
    struct cgroup_value cpu_burst_us;            // Linux 5.14
    struct cgroup_value cpu_idle;                // 1: only when nothing else wants to run; Linux 5.15
    struct cgroup_value cpu_realtime_runtime_us; // version 1 only
    struct cgroup_value cpu_realtime_period_us;  // version 1 only
    const char *cpuset_cpus;                     // "0-3,8"
    const char *cpuset_mems;

    struct cgroup_value pids; // -1 is without limit

    struct cgroup_value io_weight;      // 10..1000
    struct cgroup_value io_leaf_weight; // version 1 only
    struct cgroup_io_limits io_device_weights;
    struct cgroup_io_limits io_device_leaf_weights; // version 1 only
    struct cgroup_io_limits io_read_bytes;          // a second
    struct cgroup_io_limits io_write_bytes;
    struct cgroup_io_limits io_reads; // operations a second
    struct cgroup_io_limits io_writes;

    const struct cgroup_hugetlb_limit *hugetlb;
    size_t hugetlb_count;
    const struct cgroup_rdma_limit *rdma;
    size_t rdma_count;
    struct cgroup_value network_class;                        // version 1 only
    const struct cgroup_network_priority *network_priorities; // version 1 only
    size_t network_priority_count;
    const struct cgroup_key *unified; // version 2 only
    size_t unified_count;

    const struct cgroup_device_rule *devices;
    size_t device_count; // 0: devices are left as they are
};

// What every container may do with devices, last in a list of rules: make any node, and use those of the runtime specification's
// default devices, the pseudo terminals and their master.
extern const struct cgroup_device_rule cgroup_device_defaults[];
extern const size_t cgroup_device_default_count;

// The hierarchies of version 1 that these limits need: for cgroup_create().
uint32_t cgroup_limits_controllers(const struct cgroup_limits *limits) MUST_CHECK;

// Whether anything is limited at all, device rules aside: what it would be wrong to run without.
bool cgroup_limits_asked(const struct cgroup_limits *limits) MUST_CHECK;

// 2..262144 -> 1..10000, the default 1024 -> 100: the curve that all runtimes share since 2025, as the straight line before it gave
// the default of version 1 only 39.
uint64_t cgroup_weight_of_shares(uint64_t shares) MUST_CHECK;

#endif
