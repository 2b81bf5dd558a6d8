#include "runtime/container/stats.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/container/intel_rdt.h"
#include "runtime/kernel/cgroup_report.h"
#include "specs/json_write.h"

#include <inttypes.h>
#include <stdio.h>

static void write_numbers(struct json_writer *writer, const char *name, const struct cgroup_numbers *numbers) {
    if (numbers->count == 0) {
        return;
    }
    json_write_open(writer, name, '[');
    for (size_t i = 0; i < numbers->count; i++) {
        json_write_u64(writer, NULL, numbers->items[i]);
    }
    json_write_close(writer, ']');
}

static void write_named(struct json_writer *writer, const char *name, const struct cgroup_named_number *items, size_t count) {
    json_write_open(writer, name, '{');
    for (size_t i = 0; i < count; i++) {
        json_write_u64(writer, items[i].name, items[i].value);
    }
    json_write_close(writer, '}');
}

static void write_hundredths(struct json_writer *writer, const char *name, uint64_t value) {
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64 ".%02" PRIu64, value / 100, value % 100);
    json_write_literal(writer, name, text);
}

static void write_stall(struct json_writer *writer, const char *name, const struct cgroup_stall *stall) {
    json_write_open(writer, name, '{');
    write_hundredths(writer, "avg10", stall->avg10);
    write_hundredths(writer, "avg60", stall->avg60);
    write_hundredths(writer, "avg300", stall->avg300);
    json_write_u64(writer, "total", stall->total_us);
    json_write_close(writer, '}');
}

static void write_pressure(struct json_writer *writer, const struct cgroup_pressure *pressure) {
    if (pressure->there) {
        json_write_open(writer, "psi", '{');
        write_stall(writer, "some", &pressure->some);
        write_stall(writer, "full", &pressure->full);
        json_write_close(writer, '}');
    }
}

static void write_cpu(struct json_writer *writer, const struct cgroup_report *report) {
    json_write_open(writer, "cpu", '{');
    json_write_open(writer, "usage", '{');
    json_write_u64(writer, "total", report->cpu_ns);
    write_numbers(writer, "percpu", &report->percpu_ns);
    write_numbers(writer, "percpu_kernel", &report->percpu_kernel_ns);
    write_numbers(writer, "percpu_user", &report->percpu_user_ns);
    json_write_u64(writer, "kernel", report->cpu_kernel_ns);
    json_write_u64(writer, "user", report->cpu_user_ns);
    json_write_close(writer, '}');
    json_write_open(writer, "throttling", '{');
    json_write_u64(writer, "periods", report->cpu_periods);
    json_write_u64(writer, "throttledPeriods", report->cpu_throttled_periods);
    json_write_u64(writer, "throttledTime", report->cpu_throttled_ns);
    json_write_close(writer, '}');
    write_pressure(writer, &report->cpu_pressure);
    json_write_close(writer, '}');
}

static void write_cpuset(struct json_writer *writer, const struct cgroup_report *report) {
    static const char *const names[CGROUP_CPUSET_FLAG_COUNT] = {
        [CGROUP_CPUSET_CPU_EXCLUSIVE] = "cpu_exclusive",     [CGROUP_CPUSET_MEM_HARDWALL] = "mem_hardwall",
        [CGROUP_CPUSET_MEM_EXCLUSIVE] = "mem_exclusive",     [CGROUP_CPUSET_MEMORY_MIGRATE] = "memory_migrate",
        [CGROUP_CPUSET_SPREAD_PAGE] = "memory_spread_page",  [CGROUP_CPUSET_SPREAD_SLAB] = "memory_spread_slab",
        [CGROUP_CPUSET_MEMORY_PRESSURE] = "memory_pressure", [CGROUP_CPUSET_LOAD_BALANCE] = "sched_load_balance",
    };
    json_write_open(writer, "cpuset", '{');
    write_numbers(writer, "cpus", &report->cpus);
    write_numbers(writer, "mems", &report->memory_nodes);
    for (unsigned i = 0; i < CGROUP_CPUSET_FLAG_COUNT; i++) {
        json_write_u64(writer, names[i], report->cpuset_flags[i]);
    }
    json_write_i64(writer, "sched_relax_domain_level", report->relax_domain_level);
    json_write_close(writer, '}');
}

static void write_counter(struct json_writer *writer, const char *name, const struct cgroup_counter *counter) {
    json_write_open(writer, name, '{');
    json_write_u64(writer, "limit", counter->limit);
    json_write_u64(writer, "usage", counter->usage);
    json_write_u64(writer, "max", counter->max);
    json_write_u64(writer, "failcnt", counter->failures);
    json_write_close(writer, '}');
}

static void write_memory(struct json_writer *writer, const struct cgroup_report *report) {
    json_write_open(writer, "memory", '{');
    json_write_u64(writer, "cache", report->cache_bytes);
    write_counter(writer, "usage", &report->memory);
    write_counter(writer, "swap", &report->memory_and_swap);
    write_counter(writer, "kernel", &report->kernel_memory);
    write_counter(writer, "kernelTCP", &report->kernel_tcp);
    write_named(writer, "raw", report->memory_details, report->memory_details_count);
    write_pressure(writer, &report->memory_pressure);
    write_named(writer, "event_count", report->memory_events, report->memory_events_count);
    json_write_close(writer, '}');
}

static void write_io(struct json_writer *writer, const struct cgroup_report *report) {
    static const char *const names[CGROUP_IO_KIND_COUNT] = {
        [CGROUP_IO_SERVICE_BYTES] = "ioServiceBytesRecursive", [CGROUP_IO_SERVICED] = "ioServicedRecursive",
        [CGROUP_IO_QUEUED] = "ioQueueRecursive",               [CGROUP_IO_SERVICE_TIME] = "ioServiceTimeRecursive",
        [CGROUP_IO_WAIT_TIME] = "ioWaitTimeRecursive",         [CGROUP_IO_MERGED] = "ioMergedRecursive",
        [CGROUP_IO_TIME] = "ioTimeRecursive",                  [CGROUP_IO_SECTORS] = "sectorsRecursive",
    };
    json_write_open(writer, "blkio", '{');
    for (unsigned kind = 0; kind < CGROUP_IO_KIND_COUNT; kind++) {
        const struct cgroup_io_entries *list = &report->io[kind];
        if (list->count == 0) {
            continue;
        }
        json_write_open(writer, names[kind], '[');
        for (size_t i = 0; i < list->count; i++) {
            json_write_open(writer, NULL, '{');
            json_write_u64(writer, "major", list->items[i].major);
            json_write_u64(writer, "minor", list->items[i].minor);
            if (*list->items[i].op) {
                json_write_string(writer, "op", list->items[i].op);
            }
            json_write_u64(writer, "value", list->items[i].value);
            json_write_close(writer, '}');
        }
        json_write_close(writer, ']');
    }
    write_pressure(writer, &report->io_pressure);
    json_write_close(writer, '}');
}

static void write_data(struct json_writer *writer, const struct cgroup_report *report, const char *id, const char *rdt) {
    json_write_open(writer, "data", '{');
    write_cpu(writer, report);
    write_cpuset(writer, report);
    write_memory(writer, report);
    json_write_open(writer, "pids", '{');
    json_write_u64(writer, "current", report->pids);
    json_write_u64(writer, "limit", report->pids_limit);
    json_write_close(writer, '}');
    write_io(writer, report);
    json_write_open(writer, "hugetlb", '{');
    for (size_t i = 0; i < report->hugetlb_count; i++) {
        json_write_open(writer, report->hugetlb[i].page_size, '{');
        json_write_u64(writer, "usage", report->hugetlb[i].counter.usage);
        json_write_u64(writer, "max", report->hugetlb[i].counter.max);
        json_write_u64(writer, "failcnt", report->hugetlb[i].counter.failures);
        json_write_close(writer, '}');
    }
    json_write_close(writer, '}');
    json_write_open(writer, "intel_rdt", '{');
    intel_rdt_write_stats(rdt, id, writer);
    json_write_close(writer, '}');
    // Interfaces that runc itself would have made: neither it nor we make any.
    json_write_literal(writer, "network_interfaces", "null");
    json_write_close(writer, '}');
}

void stats_write(const struct cgroup *cgroup, const char *id, const char *rdt, struct buf *line) {
    AUTO_ARENA struct arena arena = {0};
    struct cgroup_report report;
    cgroup_read_report(cgroup, &arena, &report);
    struct json_writer writer = {.buf = line};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "type", "stats");
    json_write_string(&writer, "id", id);
    write_data(&writer, &report, id, rdt);
    json_write_close(&writer, '}');
    buf_add_char(line, '\n');
}
