#include "runtime/kernel/userns.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// linux/nsfs.h has it since 6.18 (USER_NS_INIT_INO); the number is as old as the files.
enum { INITIAL_USER_NAMESPACE = 0xEFFFFFFDU };

bool userns_is_initial(void) {
    struct stat status;
    return stat("/proc/self/ns/user", &status) < 0 || status.st_ino == INITIAL_USER_NAMESPACE;
}

bool userns_has_single_id(void) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err ignored = {0};
    unsigned inside, outside, count;
    return fd_read_file(AT_FDCWD, "/proc/self/uid_map", 1 << 16, &text, &size, &ignored) == 0 &&
           sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && count == 1 && strchr(text, '\n') == strrchr(text, '\n');
}

static void format_map(const struct idmap *map, struct buf *text) {
    for (size_t i = 0; i < map->count; i++) {
        const struct id_range *range = &map->ranges[i];
        buf_add_format(text, "%u %u %u\n", range->inside, range->outside, range->count);
    }
}

// Runs newuidmap(1) or newgidmap(1): fixed place, empty environment.
static int run_helper(const char *program, pid_t pid, const struct idmap *map, struct err *err) {
    AUTO_STRV struct strv args = {0};
    strv_add(&args, program);
    strv_add_format(&args, "%d", pid);
    for (size_t i = 0; i < map->count; i++) {
        strv_add_format(&args, "%u", map->ranges[i].inside);
        strv_add_format(&args, "%u", map->ranges[i].outside);
        strv_add_format(&args, "%u", map->ranges[i].count);
    }
    AUTO_FD int output = -1;
    pid_t child = process_spawn(args.items, &output, err);
    if (child < 0) {
        if (err->errnum == ENOENT) {
            err_set(err, ERR_UNSUPPORTED, "%s is missing; install the package uidmap, or use a single id", program);
        }
        return -1;
    }
    AUTO_FREE char *said = NULL;
    size_t size = 0;
    struct err ignored = {0};
    if (fd_read_rest(output, 4096, program, &said, &size, &ignored) < 0) {
        said = mem_copy_string("");
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        said[strcspn(said, "\n")] = '\0';
        return err_set(err, ERR_SYSTEM, "%s (see /etc/subuid and /etc/subgid)", *said ? said : program);
    }
    return 0;
}

static int write_map(pid_t pid, const char *file, const struct idmap *map, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    AUTO_BUF struct buf text = {0};
    format_map(map, &text);
    return fd_write_file(AT_FDCWD, path, buf_string(&text), err);
}

// Without privilege the kernel takes one range of one id, and a group map only once setgroups(2) is denied.
static int write_own_ids(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
    if (fd_write_file(AT_FDCWD, path, "deny", err) < 0 && err->errnum != ENOENT) {
        return -1;
    }
    return write_map(pid, "gid_map", gids, err) < 0 || write_map(pid, "uid_map", uids, err) < 0 ? -1 : 0;
}

int userns_write_maps(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err) {
    bool root = geteuid() == 0;
    if (root && write_map(pid, "gid_map", gids, err) == 0 && write_map(pid, "uid_map", uids, err) == 0) {
        return 0;
    }
    // Root without CAP_SETUID and CAP_SETGID is like anybody: his own id he may map.
    bool single = uids->count == 1 && gids->count == 1 && uids->ranges[0].count == 1 && gids->ranges[0].count == 1 &&
                  uids->ranges[0].outside == geteuid() && gids->ranges[0].outside == getegid();
    if (single) {
        return write_own_ids(pid, uids, gids, err) < 0 ? err_in(err, "map the own id in the user namespace") : 0;
    }
    if (root) {
        return err_in(err, "map the ids of the user namespace");
    }
    if (run_helper("/usr/bin/newgidmap", pid, gids, err) < 0 || run_helper("/usr/bin/newuidmap", pid, uids, err) < 0) {
        return err_in(err, "map the ids of the user namespace");
    }
    return 0;
}

// What the namespace is found by until it is open. A parent that is killed before the first line sends no signal any more, and its locks
// are ours, too.
static _Noreturn void stay_for(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent) {
        pause();
    }
    _exit(0);
}

int userns_create(const struct idmap *uids, const struct idmap *gids, struct err *err) {
    AUTO_FD int pidfd = -1;
    pid_t parent = getpid();
    pid_t child = process_clone(CLONE_NEWUSER, -1, &pidfd);
    if (child < 0) {
        return err_sys(err, "create a user namespace");
    }
    if (child == 0) {
        stay_for(parent);
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
    int result = userns_write_maps(child, uids, gids, err);
    AUTO_FD int userns = -1;
    if (result == 0) {
        userns = open(path, O_RDONLY | O_CLOEXEC);
        if (userns < 0) {
            result = err_sys(err, "open %s", path);
        }
    }
    sys_pidfd_send_signal(pidfd, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    return result < 0 ? -1 : fd_take(&userns);
}

bool idmap_outside(const struct idmap *map, uint32_t inside, uint32_t *ret_outside) {
    for (size_t i = 0; i < map->count; i++) {
        const struct id_range *range = &map->ranges[i];
        if (inside >= range->inside && inside - range->inside < range->count) {
            *ret_outside = range->outside + (inside - range->inside);
            return true;
        }
    }
    return false;
}

// One line of subuid(5): "name-or-uid:first:count".
static bool parse_grant(const char *line, const char *user_name, uint32_t id, uint32_t *ret_first, uint32_t *ret_count) {
    const char *colon = strchr(line, ':');
    if (!colon) {
        return false;
    }
    size_t length = (size_t)(colon - line);
    char number[16];
    snprintf(number, sizeof(number), "%u", id);
    bool by_name = user_name && strlen(user_name) == length && strncmp(line, user_name, length) == 0;
    bool by_number = strlen(number) == length && strncmp(line, number, length) == 0;
    if (!by_name && !by_number) {
        return false;
    }
    unsigned long first, count;
    if (sscanf(colon, ":%lu:%lu", &first, &count) != 2 || first == 0 || count == 0 || first > UINT32_MAX || count > UINT32_MAX - first) {
        return false;
    }
    *ret_first = (uint32_t)first;
    *ret_count = (uint32_t)count;
    return true;
}

size_t userns_subordinate_map(const char *file, const char *user_name, uint32_t id, struct id_range *ranges, size_t max_ranges) {
    ranges[0] = (struct id_range){.inside = 0, .outside = id, .count = 1};
    size_t count = 1;
    uint32_t inside = 1;
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err ignored = {0};
    if (fd_read_file(AT_FDCWD, file, 1 << 20, &text, &size, &ignored) < 0) {
        return count;
    }
    for (char *line = text, *end; *line && count < max_ranges; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) {
            *end++ = '\0';
        }
        uint32_t first, ids;
        if (parse_grant(line, user_name, id, &first, &ids) && ids <= UINT32_MAX - inside) {
            ranges[count] = (struct id_range){.inside = inside, .outside = first, .count = ids};
            count++;
            inside += ids;
        }
    }
    return count;
}

void userns_read_own(struct userns_own *own) {
    const struct passwd *account = getpwuid(geteuid());
    const char *name = account ? account->pw_name : NULL;
    own->uids = (struct idmap){own->uid_ranges,
                               userns_subordinate_map("/etc/subuid", name, geteuid(), own->uid_ranges, USERNS_OWN_RANGES)};
    own->gids = (struct idmap){own->gid_ranges,
                               userns_subordinate_map("/etc/subgid", name, getegid(), own->gid_ranges, USERNS_OWN_RANGES)};
    // Both or none: users without groups of their own are worse than a single id.
    own->single_id = own->uids.count == 1 || own->gids.count == 1 || access("/usr/bin/newuidmap", X_OK) < 0;
    if (own->single_id) {
        own->uids.count = own->gids.count = 1;
    }
}
