#include "runtime/kernel/cgroup.h"

#include "runtime/kernel/cgroup_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A limit at or above this is version 1's way to say that there is none: the largest number of whole pages.
static const uint64_t no_limit = UINT64_C(1) << 62;

static uint64_t find_in(int dir_fd, const char *file, const char *key) {
    char text[CGROUP_TEXT_SIZE];
    return dir_fd < 0 || cgroup_read_text(dir_fd, file, text) < 0 ? CGROUP_UNKNOWN : cgroup_find_number(text, key);
}

static uint64_t read_in(int dir_fd, const char *file) {
    return dir_fd < 0 ? CGROUP_UNKNOWN : cgroup_read_number(dir_fd, file);
}

static uint64_t in_us(uint64_t nanoseconds) {
    return nanoseconds == CGROUP_UNKNOWN ? CGROUP_UNKNOWN : nanoseconds / 1000;
}

static void add(uint64_t *sum, uint64_t value) {
    *sum = (*sum == CGROUP_UNKNOWN ? 0 : *sum) + value;
}

// Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...", one for each device.
static void read_io_v2(int dir_fd, struct cgroup_stats *stats) {
    const struct {
        const char *key;
        uint64_t *sum;
    } keys[] = {
        {" rbytes=", &stats->io_read_bytes},
        {" wbytes=", &stats->io_write_bytes},
        {" rios=", &stats->io_reads},
        {" wios=", &stats->io_writes},
    };
    char text[CGROUP_TEXT_SIZE];
    if (dir_fd < 0 || cgroup_read_text(dir_fd, "io.stat", text) < 0) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        *keys[i].sum = 0;
        for (const char *at = strstr(text, keys[i].key); at; at = strstr(at + 1, keys[i].key)) {
            uint64_t value;
            if (sscanf(at + strlen(keys[i].key), "%" SCNu64, &value) == 1) {
                add(keys[i].sum, value);
            }
        }
    }
}

// Lines "8:0 Read 123".
static void read_io_v1(int dir_fd, const char *file, uint64_t *reads, uint64_t *writes) {
    char text[CGROUP_TEXT_SIZE];
    if (dir_fd < 0 || cgroup_read_text(dir_fd, file, text) < 0) {
        return;
    }
    *reads = *writes = 0;
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        uint64_t value;
        char kind[16];
        if (sscanf(line, "%*u:%*u %15s %" SCNu64, kind, &value) == 2) {
            uint64_t *sum = strcmp(kind, "Read") == 0 ? reads : strcmp(kind, "Write") == 0 ? writes : NULL;
            if (sum) {
                add(sum, value);
            }
        }
    }
}

static void read_v2(const struct cgroup *cgroup, struct cgroup_stats *stats) {
    int fd = cgroup_v2_fd(cgroup);
    stats->memory_bytes = read_in(fd, "memory.current");
    stats->memory_peak_bytes = read_in(fd, "memory.peak");
    stats->memory_inactive_file_bytes = find_in(fd, "memory.stat", "inactive_file");
    stats->memory_limit_bytes = read_in(fd, "memory.max");
    stats->oom_kills = find_in(fd, "memory.events", "oom_kill");
    stats->memory_limit_hits = find_in(fd, "memory.events", "oom");
    stats->cpu_usage_us = find_in(fd, "cpu.stat", "usage_usec");
    stats->cpu_user_us = find_in(fd, "cpu.stat", "user_usec");
    stats->cpu_system_us = find_in(fd, "cpu.stat", "system_usec");
    stats->cpu_throttled_us = find_in(fd, "cpu.stat", "throttled_usec");
    read_io_v2(fd, stats);
}

static void read_v1(const struct cgroup *cgroup, struct cgroup_stats *stats) {
    int memory = cgroup_dir_fd(cgroup, CGROUP_MEMORY);
    stats->memory_bytes = read_in(memory, "memory.usage_in_bytes");
    stats->memory_peak_bytes = read_in(memory, "memory.max_usage_in_bytes");
    stats->memory_inactive_file_bytes = find_in(memory, "memory.stat", "total_inactive_file");
    stats->memory_limit_bytes = read_in(memory, "memory.limit_in_bytes");
    stats->oom_kills = find_in(memory, "memory.oom_control", "oom_kill");
    stats->memory_limit_hits = read_in(memory, "memory.failcnt");
    int cpuacct = cgroup_dir_fd(cgroup, CGROUP_CPUACCT);
    stats->cpu_usage_us = in_us(read_in(cpuacct, "cpuacct.usage"));
    stats->cpu_user_us = in_us(read_in(cpuacct, "cpuacct.usage_user"));
    stats->cpu_system_us = in_us(read_in(cpuacct, "cpuacct.usage_sys"));
    stats->cpu_throttled_us = in_us(find_in(cgroup_dir_fd(cgroup, CGROUP_CPU), "cpu.stat", "throttled_time"));
    int io = cgroup_dir_fd(cgroup, CGROUP_IO);
    read_io_v1(io, "blkio.throttle.io_service_bytes_recursive", &stats->io_read_bytes, &stats->io_write_bytes);
    read_io_v1(io, "blkio.throttle.io_serviced_recursive", &stats->io_reads, &stats->io_writes);
}

void cgroup_read_stats(const struct cgroup *cgroup, struct cgroup_stats *ret_stats) {
    struct cgroup_stats stats;
    memset(&stats, 0xff, sizeof(stats)); // all CGROUP_UNKNOWN
    if (cgroup->count > 0) {
        (cgroup->host->version == CGROUP_V2 ? read_v2 : read_v1)(cgroup, &stats);
        int pids = cgroup_dir_fd(cgroup, CGROUP_PIDS);
        stats.pids = read_in(pids, "pids.current");
        stats.pids_limit = read_in(pids, "pids.max");
        // Both versions call these the same.
        int cpu = cgroup_dir_fd(cgroup, CGROUP_CPU);
        stats.cpu_periods = find_in(cpu, "cpu.stat", "nr_periods");
        stats.cpu_throttled_periods = find_in(cpu, "cpu.stat", "nr_throttled");
    }
    // Every group of version 2 counts this, on a hybrid host, too.
    if (stats.cpu_usage_us == CGROUP_UNKNOWN && cgroup->count > 0) {
        stats.cpu_usage_us = find_in(cgroup_v2_fd(cgroup), "cpu.stat", "usage_usec");
    }
    if (stats.memory_limit_bytes >= no_limit) {
        stats.memory_limit_bytes = CGROUP_UNKNOWN;
    }
    *ret_stats = stats;
}
