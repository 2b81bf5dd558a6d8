#include "runtime/kernel/rdt.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20, DOMAINS_MAX = 1024 };

int rdt_open(struct rdt_tree *ret, struct err *err) {
    AUTO_FREE char *point = NULL;
    if (mountinfo_find_type("resctrl", &point, err) < 0) {
        return -1;
    }
    if (!point) {
        return err_set(err, ERR_UNSUPPORTED, "no resctrl file system is mounted, so there are no classes of caches and memory bandwidth; "
                       "where the processor has them: mount -t resctrl resctrl /sys/fs/resctrl");
    }
    int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "open %s", point);
    }
    *ret = (struct rdt_tree){.fd = fd, .make = mkdirat, .remove = unlinkat};
    return 0;
}

void rdt_close(struct rdt_tree *tree) {
    fd_close(&tree->fd);
}

// --- schemata ---

struct domain {
    unsigned long id;
    unsigned long long value;
};

static int by_id(const void *a, const void *b) {
    const struct domain *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

// Reads "0=ff;1=f", sorted by the domains. Returns their number, -1 when it is something else.
static int read_domains(const char *text, int base, struct domain domains[DOMAINS_MAX]) {
    int count = 0;
    while (*text && *text != '\n') {
        char *end;
        if (count == DOMAINS_MAX) {
            return -1;
        }
        text += strspn(text, " \t;");
        if (!*text || *text == '\n') {
            break;
        }
        domains[count].id = strtoul(text, &end, 10);
        if (end == text || *end != '=') {
            return -1;
        }
        text = end + 1;
        domains[count].value = strtoull(text, &end, base);
        if (end == text) {
            return -1;
        }
        text = end + strspn(end, " \t");
        if (*text && *text != ';' && *text != '\n') {
            return -1;
        }
        count++;
    }
    qsort(domains, (size_t)count, sizeof(*domains), by_id);
    return count;
}

bool rdt_schema_equal(const char *left, const char *right) {
    struct domain ours[DOMAINS_MAX], theirs[DOMAINS_MAX];
    left += strspn(left, " \t");
    right += strspn(right, " \t");
    size_t kind = strcspn(left, ":\n");
    if (left[kind] != ':' || strncmp(left, right, kind + 1) != 0) {
        return false;
    }
    int base = kind == 2 && strncmp(left, "MB", 2) == 0 ? 10 : 16;
    int count = read_domains(left + kind + 1, base, ours), other = read_domains(right + kind + 1, base, theirs);
    if (count < 0 || count != other) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (ours[i].id != theirs[i].id || ours[i].value != theirs[i].value) {
            return false;
        }
    }
    return true;
}

// Whether each line of `wanted` is among the lines of `found`.
static bool has_lines(const char *found, const char *wanted) {
    for (const char *line = wanted; *line;) {
        bool there = false;
        for (const char *other = found; *other && !there;) {
            there = rdt_schema_equal(other, line);
            other += strcspn(other, "\n");
            other += *other == '\n';
        }
        if (!there) {
            return false;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return true;
}

// Older configurations have lines for the bandwidth in the cache's schema too; they count for nothing where it has one of its own.
static char *cache_schema(const char *l3_schema, const char *bandwidth_schema) {
    AUTO_BUF struct buf kept = {0};
    while (*l3_schema) {
        size_t length = strcspn(l3_schema, "\n");
        if (length > 0 && (!bandwidth_schema || strncmp(l3_schema, "MB:", 3) != 0)) {
            buf_add(&kept, l3_schema, length);
            buf_add_char(&kept, '\n');
        }
        l3_schema += length + (l3_schema[length] == '\n');
    }
    return buf_take(&kept);
}

// --- files ---

// What the kernel has to say of the last call that failed, without its newline; "" for nothing.
static void read_reason(const struct rdt_tree *tree, char reason[256]) {
    AUTO_FD int fd = openat(tree->fd, "info/last_cmd_status", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? fd_read_full(fd, reason, 255) : 0;
    reason[size > 0 ? size : 0] = '\0';
    reason[strcspn(reason, "\n")] = '\0';
    if (strcmp(reason, "ok") == 0) {
        reason[0] = '\0';
    }
}

static int refused(const struct rdt_tree *tree, const char *what, const char *name, struct err *err) {
    int errnum = errno;
    char reason[256];
    read_reason(tree, reason);
    return err_num(err, errnum, "resctrl group \"%s\": %s%s%s", name[0] ? name : "/", what, reason[0] ? ": " : "", reason);
}

static int open_group(const struct rdt_tree *tree, const char *name) {
    return openat(tree->fd, name[0] ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int write_text(int dir_fd, const char *file, const char *text) {
    AUTO_FD int fd = openat(dir_fd, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t size = strlen(text);
    return fd < 0 || write(fd, text, size) != (ssize_t)size ? -1 : 0;
}

static int write_pid(int dir_fd, pid_t pid) {
    char text[16];
    snprintf(text, sizeof(text), "%d", pid);
    return write_text(dir_fd, "tasks", text);
}

// Cache first, then bandwidth, then what else was given: a later line wins, and in one call no domain may stand twice.
static int write_schemata(const struct rdt_tree *tree, int dir_fd, const struct rdt_wish *wish, const char *name, struct err *err) {
    AUTO_FREE char *cache = wish->l3_schema ? cache_schema(wish->l3_schema, wish->bandwidth_schema) : NULL;
    AUTO_BUF struct buf bandwidth = {0};
    AUTO_BUF struct buf further = {0};
    if (wish->bandwidth_schema) {
        buf_add_format(&bandwidth, "%s\n", wish->bandwidth_schema);
    }
    for (size_t i = 0; i < wish->schemata_count; i++) {
        buf_add_format(&further, "%s\n", wish->schemata[i]);
    }
    const char *const texts[] = {cache, buf_string(&bandwidth), buf_string(&further)};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i] && *texts[i] && write_text(dir_fd, "schemata", texts[i]) < 0) {
            return refused(tree, "write its schemata", name, err);
        }
    }
    return 0;
}

static int check_schemata(int dir_fd, const struct rdt_wish *wish, struct err *err) {
    AUTO_FREE char *found = NULL;
    size_t size;
    if (fd_read_file(dir_fd, "schemata", FILE_MAX_BYTES, &found, &size, err) < 0) {
        return err_in(err, "resctrl group \"%s\"", wish->class_name);
    }
    AUTO_FREE char *cache = wish->l3_schema ? cache_schema(wish->l3_schema, wish->bandwidth_schema) : NULL;
    const char *differs = cache && !has_lines(found, cache)                                      ? "l3CacheSchema"
                          : wish->bandwidth_schema && !has_lines(found, wish->bandwidth_schema) ? "memBwSchema"
                                                                                                 : NULL;
    if (differs) {
        return err_set(err, ERR_STATE, "resctrl group \"%s\" is there and has other schemata than intelRdt.%s; take another closID, or "
                       "leave the schemata out", wish->class_name, differs);
    }
    return 0;
}

// --- groups ---

static bool has_schemata(const struct rdt_wish *wish) {
    return wish->l3_schema || wish->bandwidth_schema || wish->schemata_count > 0;
}

void rdt_group_planned(const struct rdt_wish *wish, struct rdt_group *ret) {
    *ret = (struct rdt_group){.own = !wish->class_name};
    const char *name = wish->class_name ? wish->class_name : wish->container;
    snprintf(ret->name, sizeof(ret->name), "%s", strcmp(name, "/") == 0 ? "" : name);
    snprintf(ret->monitor, sizeof(ret->monitor), "%s", wish->monitor ? wish->container : "");
}

// Finds or makes the class. Returns its directory.
static int take_class(const struct rdt_tree *tree, const struct rdt_wish *wish, struct rdt_group *group, struct err *err) {
    AUTO_FD int fd = open_group(tree, group->name);
    if (fd < 0 && errno != ENOENT) {
        return refused(tree, "open it", group->name, err);
    }
    if (fd >= 0) {
        return wish->class_name && check_schemata(fd, wish, err) < 0 ? -1 : fd_take(&fd);
    }
    if (wish->class_name && !has_schemata(wish)) {
        return err_set(err, ERR_NOT_FOUND, "resctrl group \"%s\" does not exist; make it, or give schemata to make it with", group->name);
    }
    if (tree->make(tree->fd, group->name, 0755) < 0 && errno != EEXIST) {
        return refused(tree, "make it", group->name, err);
    }
    group->made = true;
    fd = open_group(tree, group->name);
    return fd < 0 ? refused(tree, "open it", group->name, err) : fd_take(&fd);
}

static int open_monitor(const struct rdt_tree *tree, const struct rdt_group *group) {
    AUTO_FD int class_fd = open_group(tree, group->name);
    AUTO_FD int list_fd = class_fd < 0 ? -1 : openat(class_fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return list_fd < 0 ? -1 : openat(list_fd, group->monitor, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_monitor(const struct rdt_tree *tree, int class_fd, struct rdt_group *group, struct err *err) {
    AUTO_FD int list_fd = openat(class_fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (list_fd < 0) {
        return refused(tree, "intelRdt.enableMonitoring: open its mon_groups (does the processor monitor?)", group->name, err);
    }
    if (tree->make(list_fd, group->monitor, 0755) < 0) {
        return refused(tree, "make a monitoring group", group->name, err);
    }
    group->monitor_made = true;
    return 0;
}

int rdt_join(const struct rdt_tree *tree, const struct rdt_group *group, pid_t pid, struct err *err) {
    AUTO_FD int fd = open_group(tree, group->name);
    if (fd < 0 || write_pid(fd, pid) < 0) {
        return refused(tree, "put the process in", group->name, err);
    }
    if (group->monitor[0]) {
        AUTO_FD int monitor_fd = open_monitor(tree, group);
        if (monitor_fd < 0 || write_pid(monitor_fd, pid) < 0) {
            return refused(tree, "put the process in its monitoring group", group->name, err);
        }
    }
    return 0;
}

static int enter(const struct rdt_tree *tree, const struct rdt_wish *wish, pid_t pid, struct rdt_group *group, struct err *err) {
    AUTO_FD int fd = take_class(tree, wish, group, err);
    if (fd < 0 || write_schemata(tree, fd, wish, group->name, err) < 0) {
        return -1;
    }
    if (wish->monitor && make_monitor(tree, fd, group, err) < 0) {
        return -1;
    }
    return rdt_join(tree, group, pid, err);
}

int rdt_enter(const struct rdt_tree *tree, const struct rdt_wish *wish, pid_t pid, struct rdt_group *ret, struct err *err) {
    struct rdt_group group;
    rdt_group_planned(wish, &group);
    if (enter(tree, wish, pid, &group, err) < 0) {
        struct err left;
        if (rdt_remove(tree, &group, true, &left) < 0) {
            log_warn("%s", left.text);
        }
        return -1;
    }
    *ret = group;
    return 0;
}

int rdt_update(const struct rdt_tree *tree, const struct rdt_group *group, const char *l3_schema, const char *bandwidth_schema,
               struct err *err) {
    const struct rdt_wish wish = {.l3_schema = l3_schema, .bandwidth_schema = bandwidth_schema};
    AUTO_FD int fd = open_group(tree, group->name);
    return fd < 0 ? refused(tree, "open it", group->name, err) : write_schemata(tree, fd, &wish, group->name, err);
}

static int remove_directory(const struct rdt_tree *tree, int dir_fd, const char *name, struct err *err) {
    if (tree->remove(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        return refused(tree, "remove it", name, err);
    }
    return 0;
}

int rdt_remove(const struct rdt_tree *tree, const struct rdt_group *group, bool all, struct err *err) {
    bool class_goes = group->made && (all || group->own);
    int result = 0;
    // A monitoring group goes with its class; else it is removed alone.
    if (group->monitor_made) {
        AUTO_FD int class_fd = open_group(tree, group->name);
        AUTO_FD int list_fd = class_fd < 0 ? -1 : openat(class_fd, "mon_groups", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = list_fd < 0 ? 0 : remove_directory(tree, list_fd, group->monitor, err);
    }
    return class_goes ? remove_directory(tree, tree->fd, group->name, err) : result;
}

static bool is_empty(int dir_fd) {
    AUTO_FREE char *tasks = NULL;
    size_t size = 0;
    struct err ignored;
    return dir_fd < 0 || (fd_read_file(dir_fd, "tasks", FILE_MAX_BYTES, &tasks, &size, &ignored) == 0 && size == 0);
}

int rdt_remove_empty(const struct rdt_tree *tree, const struct rdt_group *group, struct err *err) {
    struct rdt_group left = *group;
    AUTO_FD int monitor_fd = group->monitor[0] ? open_monitor(tree, group) : -1;
    AUTO_FD int class_fd = open_group(tree, group->name);
    left.monitor_made = group->monitor[0] && is_empty(monitor_fd);
    left.made = group->own && is_empty(class_fd);
    return rdt_remove(tree, &left, false, err);
}

// --- written down ---

// Two letters say what goes with the container: its class, its monitoring group; behind them stands the name.
void rdt_group_record(const struct rdt_group *group, struct buf *text) {
    buf_add_format(text, "%c%c:%s", group->made && group->own ? 'c' : '-', group->monitor[0] ? 'm' : '-', group->name);
}

int rdt_group_of_record(const char *text, const char *container, struct rdt_group *ret) {
    if ((text[0] != 'c' && text[0] != '-') || (text[1] != 'm' && text[1] != '-') || text[2] != ':' || strchr(text + 3, '/') ||
        strlen(text + 3) >= RDT_NAME_SIZE || strcmp(text + 3, "..") == 0) {
        return -1;
    }
    *ret = (struct rdt_group){.made = text[0] == 'c', .own = text[0] == 'c', .monitor_made = text[1] == 'm'};
    snprintf(ret->name, sizeof(ret->name), "%s", text + 3);
    snprintf(ret->monitor, sizeof(ret->monitor), "%s", text[1] == 'm' ? container : "");
    return 0;
}
