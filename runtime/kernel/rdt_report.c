#include "runtime/kernel/rdt_report.h"

#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/rdt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20, DOMAINS_MAX = 1024 };

// Without blanks at both ends; NULL where there is no such file.
static char *read_text(int dir_fd, const char *file, struct arena *arena) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err ignored;
    AUTO_FD int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fd_read_rest(fd, FILE_MAX_BYTES, file, &text, &size, &ignored) < 0) {
        return NULL;
    }
    while (size > 0 && strchr(" \t\n", text[size - 1])) {
        text[--size] = '\0';
    }
    return arena_copy_string(arena, text + strspn(text, " \t\n"));
}

// 0 for what is not there, and for what the kernel says in words ("Unavailable").
static uint64_t read_number(int dir_fd, const char *file, struct arena *arena) {
    const char *text = read_text(dir_fd, file, arena);
    return text ? strtoull(text, NULL, 10) : 0;
}

static const char **read_lines(int dir_fd, const char *file, struct arena *arena) {
    char *text = read_text(dir_fd, file, arena), *state = NULL;
    size_t count = 0;
    for (const char *at = text; at && *at; at++) {
        count += *at == '\n';
    }
    const char **lines = arena_array(arena, count + 2, sizeof(*lines));
    count = 0;
    for (char *line = text ? strtok_r(text, "\n", &state) : NULL; line; line = strtok_r(NULL, "\n", &state)) {
        lines[count++] = line + strspn(line, " \t");
    }
    return lines;
}

const char *rdt_schema_of(const char *const *schemata, const char *resource) {
    for (; *schemata; schemata++) {
        if (strncmp(*schemata, resource, strlen(resource)) == 0) {
            return *schemata;
        }
    }
    return NULL;
}

static void read_info(const struct rdt_tree *tree, struct arena *arena, struct rdt_report *report) {
    AUTO_FD int cache = openat(tree->fd, "info/L3", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int bandwidth = openat(tree->fd, "info/MB", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int monitor = openat(tree->fd, "info/L3_MON", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    report->shares_cache = cache >= 0;
    report->shares_bandwidth = bandwidth >= 0;
    if (cache >= 0) {
        report->cache_mask = read_text(cache, "cbm_mask", arena);
        report->cache_least_bits = read_number(cache, "min_cbm_bits", arena);
        report->cache_classes = read_number(cache, "num_closids", arena);
    }
    if (bandwidth >= 0) {
        report->bandwidth_step = read_number(bandwidth, "bandwidth_gran", arena);
        report->bandwidth_linear = read_number(bandwidth, "delay_linear", arena);
        report->bandwidth_least = read_number(bandwidth, "min_bandwidth", arena);
        report->bandwidth_classes = read_number(bandwidth, "num_closids", arena);
    }
    const char **features = monitor >= 0 ? read_lines(monitor, "mon_features", arena) : NULL;
    for (; features && *features; features++) {
        report->counts_bandwidth |= strcmp(*features, "mbm_total_bytes") == 0 || strcmp(*features, "mbm_local_bytes") == 0;
        report->counts_occupation |= strcmp(*features, "llc_occupancy") == 0;
    }
}

static int by_name(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

// Every directory of mon_data is a domain, a cache of the third level: mon_L3_00, mon_L3_01, ...
static void read_domains(int group_fd, struct arena *arena, struct rdt_report *report) {
    AUTO_FD int data = openat(group_fd, "mon_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_DIR DIR *stream = data >= 0 ? dir_stream(data) : NULL;
    const char **names = arena_array(arena, DOMAINS_MAX, sizeof(*names));
    size_t count = 0;
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry && count < DOMAINS_MAX; entry = dir_next(stream)) {
        if (strncmp(entry->d_name, "mon_L3_", strlen("mon_L3_")) == 0) {
            names[count++] = arena_copy_string(arena, entry->d_name);
        }
    }
    if (count > 0) {
        qsort(names, count, sizeof(*names), by_name);
    }
    report->domains = arena_array(arena, count, sizeof(*report->domains));
    for (size_t i = 0; i < count; i++) {
        AUTO_FD int domain = openat(data, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (domain >= 0) {
            report->domains[report->domain_count++] = (struct rdt_domain){
                .total_bytes = read_number(domain, "mbm_total_bytes", arena),
                .local_bytes = read_number(domain, "mbm_local_bytes", arena),
                .occupied_bytes = read_number(domain, "llc_occupancy", arena),
            };
        }
    }
}

void rdt_read_report(const struct rdt_tree *tree, const struct rdt_group *group, struct arena *arena, struct rdt_report *ret) {
    *ret = (struct rdt_report){0};
    AUTO_FD int class_fd = openat(tree->fd, group->name[0] ? group->name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    read_info(tree, arena, ret);
    ret->root_schemata = read_lines(tree->fd, "schemata", arena);
    ret->schemata = class_fd >= 0 ? read_lines(class_fd, "schemata", arena) : arena_array(arena, 1, sizeof(*ret->schemata));
    if (class_fd < 0 || (!ret->counts_bandwidth && !ret->counts_occupation)) {
        return;
    }
    AUTO_FD int list_fd = openat(class_fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_FD int monitor_fd = list_fd >= 0 && group->monitor[0]
                                 ? openat(list_fd, group->monitor, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                 : -1;
    read_domains(monitor_fd >= 0 ? monitor_fd : class_fd, arena, ret);
}
