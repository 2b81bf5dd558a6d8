#include "runtime/kernel/cgroup.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup_file.h"
#include "runtime/kernel/cgroup_plan.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWN_GROUPS_MAX_BYTES = 1 << 20, MAKE_RETRIES = 8 };

static bool has(const struct cgroup_hierarchy *hierarchy, enum cgroup_controller controller) {
    return (hierarchy->controllers & CGROUP_MASK(controller)) != 0;
}

int cgroup_check_path(const char *path, struct err *err) {
    size_t depth = 0;
    const char *at = path + (*path == '/');
    if (strlen(path) >= CGROUP_PATH_SIZE) {
        return err_set(err, ERR_INPUT, "cgroup path is %zu bytes long, expected less than %d", strlen(path), CGROUP_PATH_SIZE);
    }
    for (;;) {
        size_t size = strcspn(at, "/");
        if (size == 0 || (size == 1 && at[0] == '.') || (size == 2 && at[0] == '.' && at[1] == '.')) {
            return err_set(err, ERR_INPUT, "cgroup path \"%s\": \"%.*s\" cannot be a component", path, (int)size, at);
        }
        if (size > NAME_MAX) {
            return err_set(err, ERR_INPUT, "cgroup path \"%s\": a component is longer than %d bytes", path, NAME_MAX);
        }
        if (memchr(at, '\n', size)) {
            return err_set(err, ERR_INPUT, "cgroup path \"%s\": a component holds a newline", path);
        }
        if (++depth > CGROUP_MAX_DEPTH) {
            return err_set(err, ERR_INPUT, "cgroup path \"%s\": has more than %d components", path, CGROUP_MAX_DEPTH);
        }
        at += size;
        if (*at == '\0') {
            return 0;
        }
        at++;
    }
}

// The group of the caller in a hierarchy, as a path below its mount without slashes at the ends. `text` is /proc/self/cgroup: lines
// "4:memory:/a/b" for version 1 and "0::/a/b" for version 2. Not found, or outside of what is mounted, is "".
static char *own_group(struct arena *arena, const struct cgroup_hierarchy *hierarchy, const char *text) {
    size_t root = strcmp(hierarchy->root, "/") == 0 ? 0 : strlen(hierarchy->root);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *list = strchr(line, ':');
        const char *path = list ? strchr(list + 1, ':') : NULL;
        if (!path) {
            break;
        }
        char *controllers = arena_copy(arena, list + 1, (size_t)(path - list - 1));
        uint32_t mask = *controllers ? 0 : CGROUP_MASK(CGROUP_UNIFIED);
        char *state = NULL;
        for (char *name = strtok_r(controllers, ",", &state); name; name = strtok_r(NULL, ",", &state)) {
            mask |= cgroup_controller_mask(name);
        }
        if ((mask & hierarchy->controllers) == 0) {
            continue;
        }
        path++;
        size_t size = strcspn(path, "\n");
        if (size < root || strncmp(path, hierarchy->root, root) != 0) {
            break;
        }
        path += root;
        size -= root;
        bool outside = size >= 3 && strncmp(path, "/..", 3) == 0;
        return arena_copy(arena, path + 1, size > 1 && !outside ? size - 1 : 0);
    }
    return arena_copy_string(arena, "");
}

// Joins what is not empty with slashes.
static char *join(struct arena *arena, const char *name, const char *parent, const char *path) {
    return arena_format(arena, "%s%s%s%s%s", name, *name ? "/" : "", parent, *parent ? "/" : "", path);
}

// Where the group lies below /sys/fs/cgroup in this hierarchy. `own` is /proc/self/cgroup, needed for relative paths.
static char *full_path(struct cgroup *cgroup, const struct cgroup_hierarchy *hierarchy, const char *own) {
    if (*cgroup->path == '/') {
        return join(&cgroup->arena, hierarchy->name, "", cgroup->path + 1);
    }
    char *parent = own_group(&cgroup->arena, hierarchy, own);
    if (cgroup->host->version == CGROUP_V2) {
        // The caller's own group has a process, the caller, so its children could not have controllers: take the group beside it.
        char *slash = strrchr(parent, '/');
        *(slash ? slash : parent) = '\0';
    }
    return join(&cgroup->arena, hierarchy->name, parent, cgroup->path);
}

// Makes the directories of `path` that are missing below `base` bytes of it, which exist. Returns how many at its end are new.
static int make_dirs(int host_fd, const char *path, size_t base) {
    if (mkdirat(host_fd, path, 0755) == 0) {
        return 1;
    }
    // A parent is missing, or was there a moment ago and is being removed with the last group in it.
    for (int attempt = 0; errno == ENOENT && attempt < MAKE_RETRIES; attempt++) {
        AUTO_FREE char *part = mem_copy_string(path);
        int made = 0;
        for (char *slash = part + base; slash; *slash = '/') {
            slash = strchr(slash + 1, '/');
            if (slash) {
                *slash = '\0';
            }
            made = mkdirat(host_fd, part, 0755) == 0 ? made + 1 : 0;
            if (!slash || (made == 0 && errno != EEXIST)) {
                break;
            }
        }
        if (made > 0) {
            return made;
        }
    }
    return errno == EEXIST ? 0 : -1;
}

static int make_failed(const char *path, struct err *err) {
    if (errno == EACCES || errno == EPERM) {
        return err_sys(err,
                       "make cgroup /sys/fs/cgroup/%s (without root it must lie in a delegated cgroup: systemd-run --user --scope "
                       "-p Delegate=yes COMMAND)",
                       path);
    }
    if (errno == EROFS) {
        return err_sys(err, "make cgroup /sys/fs/cgroup/%s (the cgroup mount is read-only here)", path);
    }
    return err_sys(err, "make cgroup /sys/fs/cgroup/%s", path);
}

// Takes path into the handle, opened. 0 also when it is missing and that is `allowed_missing`.
static int take_dir(struct cgroup *cgroup, const struct cgroup_hierarchy *hierarchy, const char *path, int made, struct err *err) {
    AUTO_FD int fd = cgroup_open_below(cgroup->host->fd, path, O_PATH | O_DIRECTORY);
    if (fd < 0) {
        return err_sys(err, "open cgroup /sys/fs/cgroup/%s", path);
    }
    cgroup->dirs[cgroup->count++] = (struct cgroup_dir){.hierarchy = hierarchy, .fd = fd_take(&fd), .made = made, .path = path};
    return 0;
}

static int make_in(struct cgroup *cgroup, const struct cgroup_hierarchy *hierarchy, const char *own, struct err *err) {
    char *path = full_path(cgroup, hierarchy, own);
    int made = make_dirs(cgroup->host->fd, path, strlen(hierarchy->name));
    if (made < 0) {
        return make_failed(path, err);
    }
    if (take_dir(cgroup, hierarchy, path, made, err) < 0) {
        cgroup_remove_upward(cgroup->host->fd, path, made);
        return -1;
    }
    cgroup->dirs[cgroup->count - 1].fresh = made > 0;
    if (has(hierarchy, CGROUP_CPUSET)) {
        return cgroup_inherit_cpuset(&cgroup->dirs[cgroup->count - 1], cgroup->host->fd, err);
    }
    return 0;
}

static int read_own(const char *path, char **ret_own, struct err *err) {
    size_t size;
    return *path == '/' ? 0 : fd_read_file(AT_FDCWD, "/proc/self/cgroup", OWN_GROUPS_MAX_BYTES, ret_own, &size, err);
}

static int need_host(const struct cgroup_host *host, struct err *err) {
    if (host->version == CGROUP_NONE) {
        return err_set(err, ERR_UNSUPPORTED, "no cgroups: nothing of type cgroup or cgroup2 is mounted on /sys/fs/cgroup");
    }
    return 0;
}

int cgroup_create(const struct cgroup_host *host, const char *path, uint32_t controllers, struct cgroup *ret_cgroup,
                  struct err *err) {
    AUTO_FREE char *own = NULL;
    if (need_host(host, err) < 0 || cgroup_check_path(path, err) < 0 || read_own(path, &own, err) < 0) {
        return -1;
    }
    AUTO_CGROUP struct cgroup cgroup = {.host = host};
    cgroup.path = arena_copy_string(&cgroup.arena, path);
    int result = 0;
    for (size_t i = 0; i < host->count && result == 0; i++) {
        if ((host->hierarchies[i].controllers & controllers) != 0 || host->version == CGROUP_V2) {
            result = make_in(&cgroup, &host->hierarchies[i], own, err);
        }
    }
    if (result == 0 && host->version == CGROUP_V2 && controllers != 0) {
        result = cgroup_enable_available(&cgroup.dirs[0], host->fd, controllers, err);
    }
    if (result < 0) {
        // What was half made goes; the first failure is the one to tell.
        struct err other;
        if (cgroup_remove(&cgroup, 0, &other) < 0) {
            log_debug("%s", other.text);
        }
        return -1;
    }
    *ret_cgroup = cgroup;
    cgroup = (struct cgroup){0};
    return 0;
}

int cgroup_open(const struct cgroup_host *host, const char *path, uint32_t controllers, struct cgroup *ret_cgroup,
                struct err *err) {
    AUTO_FREE char *own = NULL;
    if (need_host(host, err) < 0 || cgroup_check_path(path, err) < 0 || read_own(path, &own, err) < 0) {
        return -1;
    }
    AUTO_CGROUP struct cgroup cgroup = {.host = host};
    cgroup.path = arena_copy_string(&cgroup.arena, path);
    for (size_t i = 0; i < host->count; i++) {
        if ((host->hierarchies[i].controllers & controllers) == 0 && host->version != CGROUP_V2) {
            continue;
        }
        if (take_dir(&cgroup, &host->hierarchies[i], full_path(&cgroup, &host->hierarchies[i], own), 0, err) < 0 &&
            err->errnum != ENOENT) {
            return -1;
        }
    }
    if (cgroup.count == 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no cgroup %s", path);
    }
    *ret_cgroup = cgroup;
    cgroup = (struct cgroup){0};
    return 0;
}

static int components(const char *path) {
    int count = 0;
    for (const char *at = path; *at; at++) {
        count += *at == '/' && at[1] != '\0' && at[1] != '/';
    }
    return count;
}

void cgroup_depths(const struct cgroup_host *host, const char *path, struct buf *depths) {
    AUTO_ARENA struct arena arena = {0};
    for (size_t i = 0; i < host->count; i++) {
        char *at = join(&arena, host->hierarchies[i].name, "", path + 1);
        int depth = components(path);
        for (; depth > 0 && faccessat(host->fd, at, F_OK, 0) < 0; depth--) {
            char *slash = strrchr(at, '/');
            if (slash) {
                *slash = '\0';
            }
        }
        buf_add_format(depths, "%s%d", i ? " " : "", depth);
    }
}

void cgroup_remove_deeper(const struct cgroup_host *host, const char *path, const char *depths) {
    AUTO_ARENA struct arena arena = {0};
    for (size_t i = 0; i < host->count; i++) {
        char *end;
        long depth = strtol(depths, &end, 10);
        if (end == depths || depth < 0) {
            return; // not of these hierarchies
        }
        depths = end;
        cgroup_remove_upward(host->fd, join(&arena, host->hierarchies[i].name, "", path + 1), components(path) - depth);
    }
}

void cgroup_record(const struct cgroup *cgroup, struct buf *record) {
    for (size_t i = 0; i < cgroup->count; i++) {
        buf_add_format(record, "%d %s\n", cgroup->dirs[i].made, cgroup->dirs[i].path);
    }
}

static const struct cgroup_hierarchy *hierarchy_of(const struct cgroup_host *host, const char *path) {
    for (size_t i = 0; i < host->count; i++) {
        size_t size = strlen(host->hierarchies[i].name);
        if (size == 0 || (strncmp(path, host->hierarchies[i].name, size) == 0 && path[size] == '/')) {
            return &host->hierarchies[i];
        }
    }
    return NULL;
}

// "2 memory/coffer/4f1a"
static int take_record_line(struct cgroup *cgroup, const char *line, struct err *err) {
    char *end;
    long made = strtol(line, &end, 10);
    if (end == line || *end != ' ' || made < 0 || made > CGROUP_MAX_DEPTH || cgroup_check_path(end + 1, err) < 0) {
        return err_set(err, ERR_CORRUPT, "cgroup record: \"%s\" is not a number and a path", line);
    }
    const struct cgroup_hierarchy *hierarchy = hierarchy_of(cgroup->host, end + 1);
    if (!hierarchy || cgroup->count == CGROUP_MAX_HIERARCHIES) {
        return err_set(err, ERR_CORRUPT, "cgroup record: \"%s\" is in none of the hierarchies on this host", line);
    }
    if (!cgroup->path) {
        size_t prefix = strlen(hierarchy->name);
        cgroup->path = arena_format(&cgroup->arena, "/%s", end + 1 + prefix + (prefix > 0));
    }
    if (take_dir(cgroup, hierarchy, arena_copy_string(&cgroup->arena, end + 1), (int)made, err) < 0 && err->errnum != ENOENT &&
        err->errnum != ENODEV) {
        return -1;
    }
    return 0;
}

int cgroup_open_record(const struct cgroup_host *host, const char *record, struct cgroup *ret_cgroup, struct err *err) {
    AUTO_CGROUP struct cgroup cgroup = {.host = host};
    AUTO_FREE char *text = mem_copy_string(record);
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (take_record_line(&cgroup, line, err) < 0) {
            return -1;
        }
    }
    *ret_cgroup = cgroup;
    cgroup = (struct cgroup){0};
    return 0;
}

// "3 memory/a/b/4f1a": of a/b/4f1a all three were made.
static void remove_parents_of_gone(int host_fd, char *line) {
    char *path = NULL;
    long made = strtol(line, &path, 10);
    if (made < 2 || made > CGROUP_MAX_DEPTH || *path++ != ' ' || faccessat(host_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT) {
        return;
    }
    cgroup_remove_upward(host_fd, path, made);
}

void cgroup_remove_left_parents(const struct cgroup_host *host, const char *record) {
    AUTO_FREE char *text = mem_copy_string(record);
    char *state = NULL;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        remove_parents_of_gone(host->fd, line);
    }
}

void cgroup_finish(struct cgroup *cgroup) {
    for (size_t i = 0; i < cgroup->count; i++) {
        fd_close(&cgroup->dirs[i].fd);
    }
    arena_finish(&cgroup->arena);
    *cgroup = (struct cgroup){0};
}

bool cgroup_was_there(const struct cgroup *cgroup) {
    for (size_t i = 0; i < cgroup->count; i++) {
        if (cgroup->dirs[i].made == 0) {
            return true;
        }
    }
    return false;
}

int cgroup_dir_fd(const struct cgroup *cgroup, enum cgroup_controller controller) {
    for (size_t i = 0; i < cgroup->count; i++) {
        if (has(cgroup->dirs[i].hierarchy, controller)) {
            return cgroup->dirs[i].fd;
        }
    }
    return cgroup->count > 0 && cgroup->host->version == CGROUP_V2 ? cgroup->dirs[0].fd : -1;
}

int cgroup_v2_fd(const struct cgroup *cgroup) {
    return cgroup_dir_fd(cgroup, CGROUP_UNIFIED);
}

int cgroup_birth_fd(const struct cgroup *cgroup) {
    for (size_t i = 0; i < cgroup->count; i++) {
        if (has(cgroup->dirs[i].hierarchy, CGROUP_UNIFIED)) {
            return cgroup->dirs[i].kills_births ? -1 : cgroup->dirs[i].fd;
        }
    }
    return -1;
}

static bool births_were_killed;

bool cgroup_births_were_killed(void) {
    return births_were_killed;
}

static void end_at_once(void *unused) {
    (void)unused;
    _exit(0);
}

void cgroup_probe_birth(struct cgroup *cgroup) {
    for (size_t i = 0; i < cgroup->count; i++) {
        struct cgroup_dir *dir = &cgroup->dirs[i];
        if (!has(dir->hierarchy, CGROUP_UNIFIED)) {
            continue;
        }
        int pidfd = -1;
        siginfo_t end = {0};
        // It does nothing, so it may share all that costs time to copy.
        pid_t child = process_clone_to_exec(CLONE_FILES | CLONE_FS, dir->fd, end_at_once, NULL, &pidfd);
        if (child > 0) {
            process_reap(pidfd, &end);
        }
        dir->kills_births = child > 0 && end.si_code == CLD_KILLED; // what else is wrong is told by the birth itself
        births_were_killed = births_were_killed || dir->kills_births;
        fd_close(&pidfd);
    }
}

int cgroup_join_fds(const struct cgroup *cgroup, int fds[], size_t max, struct err *err) {
    size_t count = 0;
    for (size_t i = 0; i < cgroup->count; i++) {
        bool unified = has(cgroup->dirs[i].hierarchy, CGROUP_UNIFIED);
        if (unified && !cgroup->dirs[i].kills_births) {
            continue;
        }
        const char *file = unified ? "cgroup.procs" : "tasks";
        int fd = count < max ? openat(cgroup->dirs[i].fd, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (fd < 0) {
            if (count == max) {
                errno = EMFILE;
            }
            int saved = errno;
            while (count > 0) {
                fd_close(&fds[--count]);
            }
            return err_num(err, saved, "open /sys/fs/cgroup/%s/%s to join it", cgroup->dirs[i].path, file);
        }
        fds[count++] = fd;
    }
    return (int)count;
}

int cgroup_add(const struct cgroup *cgroup, pid_t pid, struct err *err) {
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)pid);
    for (size_t i = 0; i < cgroup->count; i++) {
        if (cgroup_write_text(cgroup->dirs[i].fd, "cgroup.procs", text) < 0) {
            return err_sys(err, "move process %d to cgroup /sys/fs/cgroup/%s", (int)pid, cgroup->dirs[i].path);
        }
    }
    return 0;
}

int cgroup_delegate(const struct cgroup *cgroup, uid_t uid, gid_t gid, struct err *err) {
    int dir_fd = cgroup_v2_fd(cgroup);
    if (dir_fd < 0) {
        return 0;
    }
    char files[CGROUP_TEXT_SIZE];
    // The kernel's own list, since Linux 4.15; these three in any case.
    if (cgroup_read_text(AT_FDCWD, "/sys/kernel/cgroup/delegate", files) < 0) {
        strcpy(files, "cgroup.procs\ncgroup.threads\ncgroup.subtree_control");
    }
    if (fchownat(dir_fd, "", uid, gid, AT_EMPTY_PATH) < 0) {
        return err_sys(err, "give cgroup %s to user %u", cgroup->path, (unsigned)uid);
    }
    char *state = NULL;
    for (char *file = strtok_r(files, "\n", &state); file; file = strtok_r(NULL, "\n", &state)) {
        if (fchownat(dir_fd, file, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) {
            return err_sys(err, "give %s of cgroup %s to user %u", file, cgroup->path, (unsigned)uid);
        }
    }
    return 0;
}

int cgroup_descend(struct cgroup *cgroup, uint32_t controllers, const char *path, struct err *err) {
    if (cgroup_check_path(path, err) < 0) {
        return -1;
    }
    path += *path == '/';
    bool found = false;
    for (size_t i = 0; i < cgroup->count; i++) {
        struct cgroup_dir *dir = &cgroup->dirs[i];
        if ((dir->hierarchy->controllers & controllers) == 0) {
            continue;
        }
        int fd = cgroup_open_below(dir->fd, path, O_PATH | O_DIRECTORY);
        if (fd < 0) {
            return err_sys(err, "open cgroup /sys/fs/cgroup/%s/%s", dir->path, path);
        }
        fd_close(&dir->fd);
        dir->fd = fd;
        dir->path = arena_format(&cgroup->arena, "%s/%s", dir->path, path);
        dir->made = 0;
        found = true;
    }
    return found ? 0 : err_set(err, ERR_NOT_FOUND, "cgroup %s is in no hierarchy that was asked for", cgroup->path);
}
