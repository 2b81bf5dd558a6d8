// What a container uses, in numbers: by its control groups, and by its processes where no group counts.
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/container/opened.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process_tree.h"
#include "runtime/kernel/process_usage.h"

#include <stdlib.h>
#include <unistd.h>

static void free_pids(pid_t **pids) {
    free(*pids);
}

static bool is_known(uint64_t number) {
    return number != CGROUP_UNKNOWN;
}

// A container is in those hierarchies of version 1 alone that its limits need, and version 2 counts for who is limited.
static void fill_from_processes(const struct opened *opened, const struct cgroup_stats *stats, struct container_usage *usage) {
    AUTO(free_pids) pid_t *pids = NULL;
    struct process_usage sum = {0};
    struct err ignored;
    size_t count = 0;
    bool whole =
        is_known(stats->memory_bytes) && is_known(stats->pids) && is_known(stats->cpu_usage_us) && is_known(stats->io_read_bytes);
    if (whole) {
        return;
    }
    if (opened->cgroup.count == 0 && opened->record.own_pids) {
        count = process_list_namespace((pid_t)opened->record.pid, &pids);
    } else if (cgroup_pids(&opened->cgroup, &pids, &count, &ignored) < 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        process_usage_add(pids[i], &sum);
    }
    usage->cpu_us = is_known(stats->cpu_usage_us) ? usage->cpu_us : sum.cpu_us;
    usage->memory_bytes = is_known(stats->memory_bytes) ? usage->memory_bytes : sum.memory_bytes;
    usage->pids = is_known(stats->pids) ? usage->pids : sum.threads;
    usage->read_bytes = is_known(stats->io_read_bytes) ? usage->read_bytes : sum.read_bytes;
    usage->written_bytes = is_known(stats->io_read_bytes) ? usage->written_bytes : sum.written_bytes;
}

static uint64_t host_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

// Without what the kernel would give back at once, as all tools show it.
static uint64_t used_memory(const struct cgroup_stats *stats) {
    uint64_t cache = is_known(stats->memory_inactive_file_bytes) ? stats->memory_inactive_file_bytes : 0;
    return stats->memory_bytes > cache ? stats->memory_bytes - cache : 0;
}

int container_usage(const char *root, const char *id, struct container_usage *ret, struct err *err) {
    AUTO_OPENED struct opened opened = OPENED_NONE;
    struct cgroup_stats stats;
    if (opened_find(&opened, root, id, err) < 0 || opened_take_cgroup(&opened, err) < 0) {
        return -1;
    }
    if (opened.status == OCI_STATUS_STOPPED) {
        return opened_not_running(&opened, "look at", err);
    }
    cgroup_read_stats(&opened.cgroup, &stats);
    uint64_t most = host_memory();
    struct container_usage usage = {
        .cpu_us = is_known(stats.cpu_usage_us) ? stats.cpu_usage_us : 0,
        .memory_bytes = is_known(stats.memory_bytes) ? used_memory(&stats) : 0,
        .memory_limit_bytes =
            is_known(stats.memory_limit_bytes) && stats.memory_limit_bytes < most ? stats.memory_limit_bytes : most,
        .pids = is_known(stats.pids) ? stats.pids : 0,
        .read_bytes = is_known(stats.io_read_bytes) ? stats.io_read_bytes : 0,
        .written_bytes = is_known(stats.io_write_bytes) ? stats.io_write_bytes : 0,
    };
    fill_from_processes(&opened, &stats, &usage);
    (void)!process_network_bytes((pid_t)opened.record.pid, &usage.received_bytes, &usage.sent_bytes);
    *ret = usage;
    return 0;
}
