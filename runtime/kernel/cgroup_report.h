// All that the kernel counts for a group, as other runtimes report it: in the units and under the names of version 1, whatever the
// host has. cgroup_read_stats() is the short form.
//
// What the kernel does not count is 0, an empty list, or not `there`.
#ifndef COFFER_KERNEL_CGROUP_REPORT_H
#define COFFER_KERNEL_CGROUP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct cgroup;

struct cgroup_numbers {
    uint64_t *items;
    size_t count;
};

struct cgroup_counter {
    uint64_t limit; // UINT64_MAX, or version 1's largest number of whole pages: none
    uint64_t usage;
    uint64_t max; // the highest there was
    uint64_t failures;
};

struct cgroup_named_number {
    const char *name;
    uint64_t value;
};

// Pressure stall information (Linux 4.20): percentages of time in hundredths, and the total in microseconds.
struct cgroup_pressure {
    bool there;
    struct cgroup_stall {
        uint64_t avg10, avg60, avg300;
        uint64_t total_us;
    } some, full;
};

struct cgroup_io_entry {
    uint64_t major, minor;
    const char *op; // "Read", "Write"; "" where there is only one number
    uint64_t value;
};

struct cgroup_io_entries {
    struct cgroup_io_entry *items;
    size_t count;
};

enum cgroup_io_kind {
    CGROUP_IO_SERVICE_BYTES,
    CGROUP_IO_SERVICED,
    CGROUP_IO_QUEUED,
    CGROUP_IO_SERVICE_TIME,
    CGROUP_IO_WAIT_TIME,
    CGROUP_IO_MERGED,
    CGROUP_IO_TIME,
    CGROUP_IO_SECTORS,
    CGROUP_IO_KIND_COUNT
};

enum cgroup_cpuset_flag {
    CGROUP_CPUSET_CPU_EXCLUSIVE,
    CGROUP_CPUSET_MEM_HARDWALL,
    CGROUP_CPUSET_MEM_EXCLUSIVE,
    CGROUP_CPUSET_MEMORY_MIGRATE,
    CGROUP_CPUSET_SPREAD_PAGE,
    CGROUP_CPUSET_SPREAD_SLAB,
    CGROUP_CPUSET_MEMORY_PRESSURE,
    CGROUP_CPUSET_LOAD_BALANCE,
    CGROUP_CPUSET_FLAG_COUNT
};

struct cgroup_report {
    uint64_t cpu_ns, cpu_kernel_ns, cpu_user_ns;
    struct cgroup_numbers percpu_ns, percpu_kernel_ns, percpu_user_ns; // version 1
    uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
    struct cgroup_pressure cpu_pressure;

    struct cgroup_numbers cpus, memory_nodes;
    uint64_t cpuset_flags[CGROUP_CPUSET_FLAG_COUNT]; // version 1
    int64_t relax_domain_level;                      // version 1

    uint64_t cache_bytes;
    struct cgroup_counter memory;
    struct cgroup_counter memory_and_swap;
    struct cgroup_counter kernel_memory; // version 1
    struct cgroup_counter kernel_tcp;    // version 1
    struct cgroup_named_number *memory_details; // memory.stat
    size_t memory_details_count;
    struct cgroup_named_number *memory_events; // memory.events, version 2
    size_t memory_events_count;
    struct cgroup_pressure memory_pressure;

    uint64_t pids, pids_limit; // 0: none

    struct cgroup_io_entries io[CGROUP_IO_KIND_COUNT];
    struct cgroup_pressure io_pressure;

    struct cgroup_hugetlb_counter {
        const char *page_size; // "2MB"
        struct cgroup_counter counter;
    } *hugetlb;
    size_t hugetlb_count;
};

// Everything lives in the arena.
void cgroup_read_report(const struct cgroup *cgroup, struct arena *arena, struct cgroup_report *ret);

#endif
