#include "runtime/kernel/cgroup_report.h"

#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 4 << 20, NUMBERS_MAX = 65536 };

struct reader {
    const struct cgroup *cgroup;
    struct arena *arena;
};

// A whole file of the group, NULL when it cannot be read; the caller's.
static char *text_of(const struct reader *reader, enum cgroup_controller controller, const char *file) {
    int dir_fd = cgroup_dir_fd(reader->cgroup, controller);
    char *text = NULL;
    size_t size;
    struct err err;
    return dir_fd < 0 || fd_read_file(dir_fd, file, FILE_MAX_BYTES, &text, &size, &err) < 0 ? NULL : text;
}

static uint64_t or_0(uint64_t value) {
    return value == CGROUP_UNKNOWN ? 0 : value;
}

static uint64_t number_of(const struct reader *reader, enum cgroup_controller controller, const char *file) {
    int dir_fd = cgroup_dir_fd(reader->cgroup, controller);
    return dir_fd < 0 ? CGROUP_UNKNOWN : cgroup_read_number(dir_fd, file);
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (; text && *text; text++) {
        count += *text == '\n';
    }
    return count + 1;
}

// Lines "name 123".
static void read_named(const struct reader *reader, enum cgroup_controller controller, const char *file,
                       struct cgroup_named_number **ret, size_t *ret_count) {
    AUTO_FREE char *text = text_of(reader, controller, file);
    *ret = arena_array(reader->arena, count_lines(text), sizeof(**ret));
    *ret_count = 0;
    char *state = NULL;
    for (char *line = text ? strtok_r(text, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        char *blank = strchr(line, ' ');
        if (blank) {
            *blank = '\0';
            (*ret)[(*ret_count)++] =
                (struct cgroup_named_number){arena_copy_string(reader->arena, line), strtoull(blank + 1, NULL, 10)};
        }
    }
}

static uint64_t named(const struct cgroup_named_number *items, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(items[i].name, name) == 0) {
            return items[i].value;
        }
    }
    return 0;
}

// "0-3,7" -> 0 1 2 3 7
static void read_list(const struct reader *reader, enum cgroup_controller controller, const char *file, struct cgroup_numbers *ret) {
    AUTO_FREE char *text = text_of(reader, controller, file);
    unsigned long first, last;
    size_t total = 0;
    for (int pass = 0; pass < 2 && text; pass++) {
        ret->count = 0;
        for (const char *at = text; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
            int found = sscanf(at, "%lu-%lu", &first, &last);
            last = found == 1 ? first : last;
            for (; found >= 1 && first <= last && ret->count < NUMBERS_MAX; first++, ret->count++) {
                if (pass == 1) {
                    ret->items[ret->count] = first;
                }
            }
        }
        total = ret->count;
        if (pass == 0) {
            ret->items = arena_array(reader->arena, total, sizeof(*ret->items));
        }
    }
}

// "some avg10=0.00 avg60=0.12 avg300=0.00 total=0"
static bool read_stall(const char *text, const char *kind, struct cgroup_stall *ret) {
    const char *line = strstr(text, kind);
    unsigned whole[3], part[3];
    if (!line || sscanf(line + strlen(kind), " avg10=%u.%u avg60=%u.%u avg300=%u.%u total=%" SCNu64, &whole[0], &part[0], &whole[1],
                        &part[1], &whole[2], &part[2], &ret->total_us) != 7) {
        return false;
    }
    ret->avg10 = whole[0] * UINT64_C(100) + part[0];
    ret->avg60 = whole[1] * UINT64_C(100) + part[1];
    ret->avg300 = whole[2] * UINT64_C(100) + part[2];
    return true;
}

static void read_pressure(const struct reader *reader, const char *file, struct cgroup_pressure *ret) {
    AUTO_FREE char *text = text_of(reader, CGROUP_UNIFIED, file);
    ret->there = text && read_stall(text, "some", &ret->some);
    if (ret->there) {
        read_stall(text, "full", &ret->full);
    }
}

// --- version 2 ---

static void read_counter_v2(const struct reader *reader, const char *prefix, struct cgroup_counter *ret) {
    char file[64];
    snprintf(file, sizeof(file), "%s.current", prefix);
    uint64_t usage = number_of(reader, CGROUP_UNIFIED, file);
    if (usage == CGROUP_UNKNOWN) {
        return;
    }
    ret->usage = usage;
    snprintf(file, sizeof(file), "%s.max", prefix);
    ret->limit = number_of(reader, CGROUP_UNIFIED, file);
    snprintf(file, sizeof(file), "%s.peak", prefix);
    ret->max = or_0(number_of(reader, CGROUP_UNIFIED, file));
}

static void read_memory_v2(const struct reader *reader, struct cgroup_report *report) {
    struct cgroup_counter swap = {0};
    read_counter_v2(reader, "memory", &report->memory);
    read_counter_v2(reader, "memory.swap", &swap);
    // Version 1 counts both together; what both together were at most nobody knows.
    report->memory_and_swap.usage = report->memory.usage + swap.usage;
    report->memory_and_swap.limit = report->memory.limit == UINT64_MAX || swap.limit == UINT64_MAX
                                        ? UINT64_MAX
                                        : report->memory.limit + swap.limit;
    read_named(reader, CGROUP_UNIFIED, "memory.stat", &report->memory_details, &report->memory_details_count);
    read_named(reader, CGROUP_UNIFIED, "memory.events", &report->memory_events, &report->memory_events_count);
    report->cache_bytes = named(report->memory_details, report->memory_details_count, "file");
    report->memory.failures = named(report->memory_events, report->memory_events_count, "max");
    read_pressure(reader, "memory.pressure", &report->memory_pressure);
}

static void read_cpu_v2(const struct reader *reader, struct cgroup_report *report) {
    struct cgroup_named_number *items;
    size_t count;
    read_named(reader, CGROUP_UNIFIED, "cpu.stat", &items, &count);
    report->cpu_ns = named(items, count, "usage_usec") * 1000;
    report->cpu_user_ns = named(items, count, "user_usec") * 1000;
    report->cpu_kernel_ns = named(items, count, "system_usec") * 1000;
    report->cpu_periods = named(items, count, "nr_periods");
    report->cpu_throttled_periods = named(items, count, "nr_throttled");
    report->cpu_throttled_ns = named(items, count, "throttled_usec") * 1000;
    read_pressure(reader, "cpu.pressure", &report->cpu_pressure);
    read_list(reader, CGROUP_UNIFIED, "cpuset.cpus.effective", &report->cpus);
    read_list(reader, CGROUP_UNIFIED, "cpuset.mems.effective", &report->memory_nodes);
}

// Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".
static void read_io_v2(const struct reader *reader, struct cgroup_report *report) {
    static const struct {
        const char *key;
        enum cgroup_io_kind kind;
        const char *op;
    } keys[] = {
        {" rbytes=", CGROUP_IO_SERVICE_BYTES, "Read"},
        {" wbytes=", CGROUP_IO_SERVICE_BYTES, "Write"},
        {" rios=", CGROUP_IO_SERVICED, "Read"},
        {" wios=", CGROUP_IO_SERVICED, "Write"},
    };
    AUTO_FREE char *text = text_of(reader, CGROUP_UNIFIED, "io.stat");
    size_t lines = count_lines(text);
    report->io[CGROUP_IO_SERVICE_BYTES].items = arena_array(reader->arena, 2 * lines, sizeof(struct cgroup_io_entry));
    report->io[CGROUP_IO_SERVICED].items = arena_array(reader->arena, 2 * lines, sizeof(struct cgroup_io_entry));
    char *state = NULL;
    for (char *line = text ? strtok_r(text, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        uint64_t major, minor;
        if (sscanf(line, "%" SCNu64 ":%" SCNu64, &major, &minor) != 2) {
            continue;
        }
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            const char *found = strstr(line, keys[i].key);
            struct cgroup_io_entries *list = &report->io[keys[i].kind];
            if (found) {
                list->items[list->count++] = (struct cgroup_io_entry){major, minor, keys[i].op,
                                                                      strtoull(found + strlen(keys[i].key), NULL, 10)};
            }
        }
    }
    read_pressure(reader, "io.pressure", &report->io_pressure);
}

// --- version 1 ---

static void read_counter_v1(const struct reader *reader, enum cgroup_controller controller, const char *prefix,
                            struct cgroup_counter *ret) {
    const struct {
        const char *end;
        uint64_t *value;
    } parts[] = {
        {"usage_in_bytes", &ret->usage},
        {"limit_in_bytes", &ret->limit},
        {"max_usage_in_bytes", &ret->max},
        {"failcnt", &ret->failures},
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char file[96];
        snprintf(file, sizeof(file), "%s.%s", prefix, parts[i].end);
        *parts[i].value = or_0(number_of(reader, controller, file));
    }
}

static void read_memory_v1(const struct reader *reader, struct cgroup_report *report) {
    read_counter_v1(reader, CGROUP_MEMORY, "memory", &report->memory);
    read_counter_v1(reader, CGROUP_MEMORY, "memory.memsw", &report->memory_and_swap);
    read_counter_v1(reader, CGROUP_MEMORY, "memory.kmem", &report->kernel_memory);
    read_counter_v1(reader, CGROUP_MEMORY, "memory.kmem.tcp", &report->kernel_tcp);
    read_named(reader, CGROUP_MEMORY, "memory.stat", &report->memory_details, &report->memory_details_count);
    report->cache_bytes = named(report->memory_details, report->memory_details_count, "cache");
}

// A heading "cpu user system", then a line for each processor.
static void read_percpu_v1(const struct reader *reader, struct cgroup_report *report) {
    AUTO_FREE char *text = text_of(reader, CGROUP_CPUACCT, "cpuacct.usage_all");
    size_t lines = count_lines(text), count = 0;
    struct cgroup_numbers *const lists[] = {&report->percpu_ns, &report->percpu_user_ns, &report->percpu_kernel_ns};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        lists[i]->items = arena_array(reader->arena, lines, sizeof(uint64_t));
    }
    char *state = NULL;
    for (char *line = text ? strtok_r(text, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        uint64_t user, kernel;
        if (sscanf(line, "%*u %" SCNu64 " %" SCNu64, &user, &kernel) == 2) {
            report->percpu_ns.items[count] = user + kernel;
            report->percpu_user_ns.items[count] = user;
            report->percpu_kernel_ns.items[count++] = kernel;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        lists[i]->count = count;
    }
}

static void read_cpu_v1(const struct reader *reader, struct cgroup_report *report) {
    static const char *const flags[CGROUP_CPUSET_FLAG_COUNT] = {
        [CGROUP_CPUSET_CPU_EXCLUSIVE] = "cpuset.cpu_exclusive",     [CGROUP_CPUSET_MEM_HARDWALL] = "cpuset.mem_hardwall",
        [CGROUP_CPUSET_MEM_EXCLUSIVE] = "cpuset.mem_exclusive",     [CGROUP_CPUSET_MEMORY_MIGRATE] = "cpuset.memory_migrate",
        [CGROUP_CPUSET_SPREAD_PAGE] = "cpuset.memory_spread_page",  [CGROUP_CPUSET_SPREAD_SLAB] = "cpuset.memory_spread_slab",
        [CGROUP_CPUSET_MEMORY_PRESSURE] = "cpuset.memory_pressure", [CGROUP_CPUSET_LOAD_BALANCE] = "cpuset.sched_load_balance",
    };
    struct cgroup_named_number *items;
    size_t count;
    report->cpu_ns = or_0(number_of(reader, CGROUP_CPUACCT, "cpuacct.usage"));
    report->cpu_user_ns = or_0(number_of(reader, CGROUP_CPUACCT, "cpuacct.usage_user"));
    report->cpu_kernel_ns = or_0(number_of(reader, CGROUP_CPUACCT, "cpuacct.usage_sys"));
    read_percpu_v1(reader, report);
    read_named(reader, CGROUP_CPU, "cpu.stat", &items, &count);
    report->cpu_periods = named(items, count, "nr_periods");
    report->cpu_throttled_periods = named(items, count, "nr_throttled");
    report->cpu_throttled_ns = named(items, count, "throttled_time");
    read_list(reader, CGROUP_CPUSET, "cpuset.cpus", &report->cpus);
    read_list(reader, CGROUP_CPUSET, "cpuset.mems", &report->memory_nodes);
    for (unsigned i = 0; i < CGROUP_CPUSET_FLAG_COUNT; i++) {
        report->cpuset_flags[i] = or_0(number_of(reader, CGROUP_CPUSET, flags[i]));
    }
    AUTO_FREE char *level = text_of(reader, CGROUP_CPUSET, "cpuset.sched_relax_domain_level");
    report->relax_domain_level = level ? strtoll(level, NULL, 10) : 0;
}

// Lines "8:0 Read 123" or "8:0 123"; "Total 123" at the end. False when there is nothing in it.
static bool read_io_file(const struct reader *reader, const char *file, struct cgroup_io_entries *ret) {
    AUTO_FREE char *text = text_of(reader, CGROUP_IO, file);
    struct cgroup_io_entries list = {.items = arena_array(reader->arena, count_lines(text), sizeof(*list.items))};
    char *state = NULL;
    for (char *line = text ? strtok_r(text, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        struct cgroup_io_entry entry = {.op = ""};
        char op[16];
        if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %15[A-Za-z] %" SCNu64, &entry.major, &entry.minor, op, &entry.value) == 4) {
            entry.op = arena_copy_string(reader->arena, op);
        } else if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %" SCNu64, &entry.major, &entry.minor, &entry.value) != 3) {
            continue;
        }
        list.items[list.count++] = entry;
    }
    if (list.count > 0) {
        *ret = list;
    }
    return list.count > 0;
}

// Each kind from the first that has it: the BFQ scheduler, that of old kernels, the throttle, which counts only bytes and requests.
static void read_io_v1(const struct reader *reader, struct cgroup_report *report) {
    static const char *const names[CGROUP_IO_KIND_COUNT] = {
        [CGROUP_IO_SERVICE_BYTES] = "io_service_bytes", [CGROUP_IO_SERVICED] = "io_serviced",
        [CGROUP_IO_QUEUED] = "io_queued",               [CGROUP_IO_SERVICE_TIME] = "io_service_time",
        [CGROUP_IO_WAIT_TIME] = "io_wait_time",         [CGROUP_IO_MERGED] = "io_merged",
        [CGROUP_IO_TIME] = "time",                      [CGROUP_IO_SECTORS] = "sectors",
    };
    static const char *const prefixes[] = {"blkio.bfq.", "blkio.", "blkio.throttle."};
    for (unsigned kind = 0; kind < CGROUP_IO_KIND_COUNT; kind++) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(prefixes) && !found; i++) {
            char file[64];
            snprintf(file, sizeof(file), "%s%s_recursive", prefixes[i], names[kind]);
            found = read_io_file(reader, file, &report->io[kind]);
        }
    }
}

// --- both ---

// "hugepages-2048kB" -> "2MB", as the files of the controller are called.
static const char *page_size(struct arena *arena, const char *name) {
    unsigned long kilobytes;
    if (sscanf(name, "hugepages-%lukB", &kilobytes) != 1 || kilobytes == 0) {
        return NULL;
    }
    return kilobytes % (1 << 20) == 0 ? arena_format(arena, "%luGB", kilobytes >> 20)
           : kilobytes % 1024 == 0    ? arena_format(arena, "%luMB", kilobytes >> 10)
                                      : arena_format(arena, "%luKB", kilobytes);
}

static bool read_hugetlb_of(const struct reader *reader, const char *size, struct cgroup_counter *ret) {
    char prefix[64], file[96];
    if (cgroup_dir_fd(reader->cgroup, CGROUP_HUGETLB) < 0) {
        return false;
    }
    bool v2 = cgroup_dir_fd(reader->cgroup, CGROUP_HUGETLB) == cgroup_v2_fd(reader->cgroup);
    // What is reserved counts since Linux 5.7, and is what a program fails for.
    for (int reserved = 1; reserved >= 0; reserved--) {
        snprintf(prefix, sizeof(prefix), "hugetlb.%.24s%s", size, reserved ? ".rsvd" : "");
        snprintf(file, sizeof(file), "%s.%s", prefix, v2 ? "current" : "usage_in_bytes");
        if (number_of(reader, CGROUP_HUGETLB, file) == CGROUP_UNKNOWN) {
            continue;
        }
        if (v2) {
            read_counter_v2(reader, prefix, ret);
            snprintf(file, sizeof(file), "hugetlb.%.24s.events", size);
            AUTO_FREE char *events = text_of(reader, CGROUP_HUGETLB, file);
            ret->failures = events ? or_0(cgroup_find_number(events, "max")) : 0;
        } else {
            read_counter_v1(reader, CGROUP_HUGETLB, prefix, ret);
        }
        return true;
    }
    return false;
}

static void read_hugetlb(const struct reader *reader, struct cgroup_report *report) {
    enum { SIZES_MAX = 16 };
    AUTO_FD int fd = open("/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_DIR DIR *stream = fd < 0 ? NULL : dir_stream(fd);
    report->hugetlb = arena_array(reader->arena, SIZES_MAX, sizeof(*report->hugetlb));
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        struct cgroup_hugetlb_counter found = {.page_size = page_size(reader->arena, entry->d_name)};
        if (found.page_size && report->hugetlb_count < SIZES_MAX && read_hugetlb_of(reader, found.page_size, &found.counter)) {
            report->hugetlb[report->hugetlb_count++] = found;
        }
    }
}

void cgroup_read_report(const struct cgroup *cgroup, struct arena *arena, struct cgroup_report *ret) {
    const struct reader reader = {cgroup, arena};
    *ret = (struct cgroup_report){0};
    if (cgroup->count == 0) {
        return;
    }
    if (cgroup->host->version == CGROUP_V2) {
        read_cpu_v2(&reader, ret);
        read_memory_v2(&reader, ret);
        read_io_v2(&reader, ret);
    } else {
        read_cpu_v1(&reader, ret);
        read_memory_v1(&reader, ret);
        read_io_v1(&reader, ret);
    }
    uint64_t pids_limit = number_of(&reader, CGROUP_PIDS, "pids.max");
    ret->pids = or_0(number_of(&reader, CGROUP_PIDS, "pids.current"));
    ret->pids_limit = or_0(pids_limit);
    read_hugetlb(&reader, ret);
}
