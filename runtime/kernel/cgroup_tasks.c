#include "runtime/kernel/cgroup.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/cgroup_file.h"
#include "runtime/kernel/sys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PIDS_MAX_BYTES = 64 << 20,
    NESTING_MAX = 200,  // of groups below ours, each a descriptor while they are read
    SIGNAL_BATCH = 256, // processes held by descriptors at a time
    KILL_ROUNDS = 64,   // passes over a group without a freezer before it is said to fork faster than it can be killed
    FREEZE_TO_KILL_MS = 100,
    RECHECK_MS = 1, // where version 1 tells nobody of a change, this is how often it is asked
};

struct pid_list {
    pid_t *items;
    size_t count;
    size_t room;
};

static void pid_list_finish(struct pid_list *list) {
    free(list->items);
}

// Processes of another pid namespace read as 0.
static void add_pid(struct pid_list *list, pid_t pid) {
    if (pid <= 0) {
        return;
    }
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->items = mem_resize(list->items, list->room, sizeof(*list->items));
    }
    list->items[list->count++] = pid;
}

static int add_pids_of(struct pid_list *list, int dir_fd, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_file(dir_fd, "cgroup.procs", PIDS_MAX_BYTES, &text, &size, err) < 0) {
        // EOPNOTSUPP: a threaded group, whose processes are listed by the group above; the others: it is just being removed.
        return err->errnum == EOPNOTSUPP || err->errnum == ENODEV || err->errnum == ENOENT ? 0 : -1;
    }
    for (char *at = text; *at;) {
        char *end;
        add_pid(list, (pid_t)strtol(at, &end, 10));
        if (end == at) {
            break;
        }
        at = end + (*end == '\n');
    }
    return 0;
}

static void dir_cleanup(DIR **dir) {
    if (*dir) {
        closedir(*dir);
    }
}

// Opens the group's directory for listing; NULL with errno.
static DIR *open_list(int dir_fd) {
    AUTO_FD int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir) {
        fd_take(&fd);
    }
    return dir;
}

// The next group below, NULL at the end.
static const char *next_group(DIR *dir) {
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            return entry->d_name;
        }
    }
    return NULL;
}

static bool has_groups_below(int dir_fd) {
    // As in any directory, each one in it is a link to it.
    struct stat status;
    return fstat(dir_fd, &status) == 0 && status.st_nlink > 2;
}

static int collect(struct pid_list *list, int dir_fd, int depth, struct err *err) {
    if (add_pids_of(list, dir_fd, err) < 0) {
        return -1;
    }
    if (!has_groups_below(dir_fd)) {
        return 0;
    }
    if (depth == NESTING_MAX) {
        return err_set(err, ERR_UNSUPPORTED, "cgroups are nested deeper than %d", NESTING_MAX);
    }
    AUTO(dir_cleanup) DIR *dir = open_list(dir_fd);
    if (!dir) {
        return errno == ENOENT ? 0 : err_sys(err, "list the cgroups below");
    }
    for (const char *name = next_group(dir); name; name = next_group(dir)) {
        AUTO_FD int below = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0 && collect(list, below, depth + 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// The hierarchy that tells which processes there are: every process of the group is in all of them.
static int telling_dir(const struct cgroup *cgroup) {
    int dir_fd = cgroup_v2_fd(cgroup);
    return dir_fd >= 0 || cgroup->count == 0 ? dir_fd : cgroup->dirs[0].fd;
}

static int list_pids(const struct cgroup *cgroup, struct pid_list *list, struct err *err) {
    int dir_fd = telling_dir(cgroup);
    if (dir_fd >= 0 && collect(list, dir_fd, 0, err) < 0) {
        return err_in(err, "list the processes of cgroup %s", cgroup->path);
    }
    return 0;
}

int cgroup_pids(const struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count, struct err *err) {
    AUTO(pid_list_finish) struct pid_list list = {0};
    if (list_pids(cgroup, &list, err) < 0) {
        return -1;
    }
    *ret_pids = list.items;
    *ret_count = list.count;
    list.items = NULL;
    return 0;
}

static int compare_pids(const void *a, const void *b) {
    pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;
    return (left > right) - (left < right);
}

static void sort_pids(struct pid_list *list) {
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof(*list->items), compare_pids);
    }
}

static bool has_pid(const struct pid_list *sorted, pid_t pid) {
    return sorted->count > 0 && bsearch(&pid, sorted->items, sorted->count, sizeof(pid), compare_pids);
}

// A number read from cgroup.procs may be another process's by the time it is used. So descriptors are opened first, and the list
// read again: what is still in it is the process that the descriptor means, or the descriptor's process is dead and takes no
// signal.
static int signal_batch(const struct cgroup *cgroup, const pid_t *pids, size_t count, int signal, struct err *err) {
    int fds[SIGNAL_BATCH];
    for (size_t i = 0; i < count; i++) {
        fds[i] = sys_pidfd_open(pids[i], 0);
    }
    AUTO(pid_list_finish) struct pid_list again = {0};
    int result = list_pids(cgroup, &again, err);
    sort_pids(&again);
    for (size_t i = 0; i < count; i++) {
        if (result == 0 && fds[i] >= 0 && has_pid(&again, pids[i]) && sys_pidfd_send_signal(fds[i], signal) < 0 && errno != ESRCH) {
            result = err_sys(err, "send signal %d to process %d of cgroup %s", signal, (int)pids[i], cgroup->path);
        }
        fd_close(&fds[i]);
    }
    return result;
}

// Signals those that are not in *done yet, and adds them. Returns how many there were.
static ssize_t signal_new(const struct cgroup *cgroup, struct pid_list *done, int signal, struct err *err) {
    AUTO(pid_list_finish) struct pid_list list = {0};
    AUTO(pid_list_finish) struct pid_list fresh = {0};
    if (list_pids(cgroup, &list, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!has_pid(done, list.items[i])) {
            add_pid(&fresh, list.items[i]);
        }
    }
    for (size_t i = 0; i < fresh.count; i += SIGNAL_BATCH) {
        size_t count = fresh.count - i < SIGNAL_BATCH ? fresh.count - i : SIGNAL_BATCH;
        if (signal_batch(cgroup, fresh.items + i, count, signal, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < fresh.count; i++) {
        add_pid(done, fresh.items[i]);
    }
    sort_pids(done);
    return (ssize_t)fresh.count;
}

int cgroup_signal(const struct cgroup *cgroup, int signal, struct err *err) {
    AUTO(pid_list_finish) struct pid_list done = {0};
    return signal_new(cgroup, &done, signal, err) < 0 ? -1 : 0;
}

int cgroup_kill(const struct cgroup *cgroup, struct err *err) {
    int v2 = cgroup_v2_fd(cgroup);
    if (v2 >= 0 && cgroup_write_text(v2, "cgroup.kill", "1") == 0) {
        // Version 1's freezer holds even the killed, should somebody have used that one.
        return cgroup->host->version == CGROUP_V1 ? cgroup_thaw(cgroup, err) : 0;
    }
    // While they are frozen they cannot fork; without a freezer, children that appear are caught in the next rounds.
    struct err unused;
    bool frozen = cgroup_freeze(cgroup, FREEZE_TO_KILL_MS, &unused) == 0;
    AUTO(pid_list_finish) struct pid_list done = {0};
    ssize_t found = 1;
    for (int round = 0; found > 0 && round < KILL_ROUNDS; round++) {
        found = signal_new(cgroup, &done, SIGKILL, err);
    }
    if (frozen && cgroup_thaw(cgroup, found < 0 ? &unused : err) < 0) {
        return -1;
    }
    if (found > 0) {
        return err_set(err, ERR_STATE, "cgroup %s: processes appear faster than they can be killed", cgroup->path);
    }
    return found < 0 ? -1 : 0;
}

static int left_ms(int64_t deadline) {
    int64_t left = deadline - clock_now_ms();
    return left > 0 ? (int)left : 0;
}

// Waits until "key value" stands in cgroup.events, of whose changes the kernel tells by POLLPRI. 0, 1 when the time is over, -1
// with errno.
static int wait_event(int dir_fd, const char *key, uint64_t value, int64_t deadline) {
    AUTO_FD int fd = openat(dir_fd, "cgroup.events", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1; // the group itself is gone
    }
    for (;;) {
        char text[256];
        ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
        if (got < 0) {
            return errno == ENODEV ? 0 : -1;
        }
        text[got] = '\0';
        if (cgroup_find_number(text, key) == value) {
            return 0;
        }
        struct pollfd event = {.fd = fd, .events = POLLPRI};
        int ready = poll(&event, 1, left_ms(deadline));
        if (ready == 0) {
            return 1;
        }
        if (ready < 0 && errno != EINTR) {
            return -1;
        }
    }
}

// Version 1 tells nothing; but processes can be waited for, one after the other.
static int wait_pids(const struct cgroup *cgroup, int64_t deadline, struct err *err) {
    for (;;) {
        AUTO(pid_list_finish) struct pid_list list = {0};
        if (list_pids(cgroup, &list, err) < 0) {
            return -1;
        }
        if (list.count == 0) {
            return 0;
        }
        bool waited = false;
        for (size_t i = 0; i < list.count; i++) {
            AUTO_FD int fd = sys_pidfd_open(list.items[i], 0);
            struct pollfd event = {.fd = fd, .events = POLLIN};
            if (fd < 0 || poll(&event, 1, 0) != 0) {
                continue; // just ended, but listed still
            }
            waited = true;
            if (poll(&event, 1, left_ms(deadline)) < 0 && errno != EINTR) {
                return err_sys(err, "wait for process %d", (int)list.items[i]);
            }
        }
        if (left_ms(deadline) == 0) {
            return 1;
        }
        if (!waited) {
            poll(NULL, 0, RECHECK_MS);
        }
    }
}

int cgroup_wait_empty(const struct cgroup *cgroup, int timeout_ms, struct err *err) {
    int64_t deadline = clock_now_ms() + timeout_ms;
    int v2 = cgroup_v2_fd(cgroup);
    if (v2 < 0) {
        return wait_pids(cgroup, deadline, err);
    }
    int result = wait_event(v2, "populated", 0, deadline);
    return result < 0 ? err_sys(err, "wait for cgroup %s to be empty", cgroup->path) : result;
}

static int freeze_v2(const struct cgroup *cgroup, int dir_fd, int64_t deadline, struct err *err) {
    if (cgroup_write_text(dir_fd, "cgroup.freeze", "1") < 0) {
        return err_sys(err, "freeze cgroup %s", cgroup->path);
    }
    int result = wait_event(dir_fd, "frozen", 1, deadline);
    return result < 0 ? err_sys(err, "freeze cgroup %s", cgroup->path) : result;
}

// The freezer of version 1 may hang between the states when a process forks just then; writing again helps it on.
static int freeze_v1(const struct cgroup *cgroup, int dir_fd, int64_t deadline, struct err *err) {
    for (;;) {
        char state[CGROUP_TEXT_SIZE];
        if (cgroup_write_text(dir_fd, "freezer.state", "FROZEN") < 0 || cgroup_read_text(dir_fd, "freezer.state", state) < 0) {
            return err_sys(err, "freeze cgroup %s", cgroup->path);
        }
        if (strcmp(state, "FROZEN") == 0) {
            return 0;
        }
        if (left_ms(deadline) == 0) {
            return 1;
        }
        poll(NULL, 0, RECHECK_MS);
    }
}

// The one of version 2 where there is one: it tells when all are frozen, and the frozen can be killed.
static int freezer_dir(const struct cgroup *cgroup, bool *ret_v2) {
    int dir_fd = cgroup_v2_fd(cgroup);
    *ret_v2 = dir_fd >= 0;
    return *ret_v2 ? dir_fd : cgroup_dir_fd(cgroup, CGROUP_FREEZER);
}

int cgroup_freeze(const struct cgroup *cgroup, int timeout_ms, struct err *err) {
    bool v2;
    int dir_fd = freezer_dir(cgroup, &v2);
    if (dir_fd < 0) {
        return err_set(err, ERR_UNSUPPORTED, "cgroup %s cannot be frozen: it is in no hierarchy with the controller freezer",
                       cgroup->path ? cgroup->path : "");
    }
    int64_t deadline = clock_now_ms() + timeout_ms;
    int result = v2 ? freeze_v2(cgroup, dir_fd, deadline, err) : freeze_v1(cgroup, dir_fd, deadline, err);
    if (result == 0) {
        return 0;
    }
    struct err unused;
    if (cgroup_thaw(cgroup, result < 0 ? &unused : err) < 0 || result < 0) {
        return -1;
    }
    return err_set(err, ERR_STATE, "cgroup %s did not freeze within %d ms", cgroup->path, timeout_ms);
}

// On a hybrid host a group can be frozen in either version, or in both.
static const struct {
    enum cgroup_controller controller;
    const char *file;
    const char *thawed;
} freezers[] = {
    {CGROUP_UNIFIED, "cgroup.freeze", "0"},
    {CGROUP_FREEZER, "freezer.state", "THAWED"},
};

static int freezer_at(const struct cgroup *cgroup, size_t i) {
    bool v2_alone = cgroup->count > 0 && cgroup->host->version == CGROUP_V2;
    return v2_alone && freezers[i].controller == CGROUP_FREEZER ? -1 : cgroup_dir_fd(cgroup, freezers[i].controller);
}

int cgroup_thaw(const struct cgroup *cgroup, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(freezers); i++) {
        int dir_fd = freezer_at(cgroup, i);
        if (dir_fd >= 0 && cgroup_write_text(dir_fd, freezers[i].file, freezers[i].thawed) < 0 && errno != ENOENT && errno != ENODEV) {
            return err_sys(err, "thaw cgroup %s", cgroup->path);
        }
    }
    return 0;
}

bool cgroup_is_frozen(const struct cgroup *cgroup) {
    for (size_t i = 0; i < ARRAY_LEN(freezers); i++) {
        char state[CGROUP_TEXT_SIZE];
        int dir_fd = freezer_at(cgroup, i);
        if (dir_fd >= 0 && cgroup_read_text(dir_fd, freezers[i].file, state) == 0 && strcmp(state, freezers[i].thawed) != 0) {
            return true;
        }
    }
    return false;
}

// Removes one group that has none below it, somewhere below dir_fd: always the first of each level, down to the lowest, and on
// descriptors, so that neither depth nor length of the path matter. 1: removed one, 0: there is none below, -1 with errno.
static int remove_one_below(int dir_fd) {
    AUTO_FD int at = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    AUTO_FD int above = -1;
    char name[NAME_MAX + 1] = "";
    while (at >= 0) {
        AUTO(dir_cleanup) DIR *dir = has_groups_below(at) ? open_list(at) : NULL;
        const char *below = dir ? next_group(dir) : NULL;
        if (!below) {
            return above < 0 ? 0 : unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 1;
        }
        snprintf(name, sizeof(name), "%s", below);
        fd_close(&above);
        above = fd_take(&at);
        at = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return errno == ENOENT ? 1 : -1;
}

static int remove_dir(struct cgroup *cgroup, const struct cgroup_dir *dir, int64_t deadline, struct err *err) {
    int host_fd = cgroup->host->fd;
    for (;;) {
        if (unlinkat(host_fd, dir->path, AT_REMOVEDIR) == 0 || errno == ENOENT) {
            return 0;
        }
        if (errno != EBUSY) {
            break;
        }
        int waited = cgroup_wait_empty(cgroup, left_ms(deadline), err);
        if (waited != 0) {
            return waited < 0 ? -1
                              : err_set(err, ERR_STATE, "remove cgroup /sys/fs/cgroup/%s: processes are left in it", dir->path);
        }
        int removed = 1;
        while (removed > 0) {
            removed = remove_one_below(dir->fd);
        }
        if (unlinkat(host_fd, dir->path, AT_REMOVEDIR) == 0 || errno == ENOENT) {
            return 0;
        }
        if (errno != EBUSY || left_ms(deadline) == 0) {
            break;
        }
        poll(NULL, 0, RECHECK_MS); // empty, and busy still: the kernel is not quite through with the last process
    }
    return err_sys(err, "remove cgroup /sys/fs/cgroup/%s", dir->path);
}

int cgroup_remove(struct cgroup *cgroup, int timeout_ms, struct err *err) {
    int64_t deadline = clock_now_ms() + timeout_ms;
    int result = 0;
    for (size_t i = 0; i < cgroup->count; i++) {
        struct cgroup_dir *dir = &cgroup->dirs[i];
        if (dir->made == 0) {
            continue;
        }
        if (remove_dir(cgroup, dir, deadline, err) < 0) {
            result = -1;
            continue;
        }
        if (dir->made > 1) {
            cgroup_remove_upward(cgroup->host->fd, arena_copy_string(&cgroup->arena, dir->path), dir->made);
        }
        dir->made = 0;
    }
    return result;
}
