// What is known of containers, for those who ask: state and list.
#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/container/document.h"
#include "runtime/container/opened.h"
#include "runtime/container/removal.h"
#include "runtime/container/snapshot.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/namespace.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATIENCE_MS = 100 };

// The folder is there a moment before the state in it. As long as its maker is at work, that moment is waited for.
static int read_record(const struct state_dir *dir, struct arena *arena, struct container_record *ret, struct err *err) {
    for (int waited_ms = 0;; waited_ms++) {
        if (state_dir_read(dir, arena, ret, err) == 0) {
            return 0;
        }
        if (err->kind != ERR_STATE || waited_ms == PATIENCE_MS || !state_dir_is_locked(dir)) {
            return -1;
        }
        poll(NULL, 0, 1);
    }
}

static int look(const struct state_dir *dir, struct arena *arena, struct oci_state *ret, struct err *err) {
    struct container_record record;
    struct oci_config *config = NULL;
    struct err config_err;
    if (read_record(dir, arena, &record, err) < 0) {
        return -1;
    }
    // Behind the record of one that is being made, the configuration may not be whole yet.
    if (snapshot_read(dir, arena, &config, &config_err) < 0 && record.pid != 0) {
        log_warn("%s", config_err.text);
    }
    container_fill_state(dir, &record, config, opened_status(dir, &record), ret);
    ret->id = arena_copy_string(arena, dir->id);
    return 0;
}

int container_state(const char *root, const char *id, struct arena *arena, struct oci_state *ret, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    return state_dir_open(root, id, &dir, err) < 0 || look(&dir, arena, ret, err) < 0 ? -1 : 0;
}

int container_status(const char *root, const char *id, unsigned *ret_status, pid_t *ret_pid, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    if (state_dir_open(root, id, &dir, err) < 0 || read_record(&dir, &arena, &record, err) < 0) {
        return -1;
    }
    *ret_status = opened_status(&dir, &record);
    if (ret_pid) {
        *ret_pid = *ret_status == OCI_STATUS_STOPPED ? 0 : (pid_t)record.pid;
    }
    return 0;
}

// Opened, compared, asked, and then seen to be there still: so the answer is about this process.
int container_open_init(const char *root, const char *id, uint64_t asked, int *ret_pidfd, uint64_t *ret_differing, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    if (state_dir_open(root, id, &dir, err) < 0 || read_record(&dir, &arena, &record, err) < 0) {
        return -1;
    }
    AUTO_FD int pidfd = record.pid > 0 ? removal_open_process(&record, err) : -1;
    if (pidfd < 0 || !state_dir_is_whole(&dir, &record)) {
        return record.pid > 0 && pidfd < 0 ? -1 : err_set(err, ERR_STATE, "the container is just being made; try again");
    }
    int failed = namespace_differing((pid_t)record.pid, asked, ret_differing, err);
    if (sys_pidfd_send_signal(pidfd, 0) < 0) {
        return err_set(err, ERR_STATE, "the container has just ended");
    }
    *ret_pidfd = failed < 0 ? -1 : fd_take(&pidfd);
    return failed;
}

static int by_name(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

int container_ids(const char *root, struct arena *arena, const char ***ret, size_t *ret_count, struct err *err) {
    AUTO_DIR DIR *stream = opendir(root);
    if (!stream) {
        return err_sys(err, "open the run-time directory %s", root);
    }
    const char **ids = NULL;
    size_t count = 0, room = 0;
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        struct err ignored;
        if (container_id_check(entry->d_name, &ignored) < 0) {
            continue;
        }
        if (count == room) {
            room = room ? 2 * room : 64;
            const char **grown = arena_array(arena, room, sizeof(*grown));
            if (count > 0) {
                memcpy(grown, ids, count * sizeof(*grown));
            }
            ids = grown;
        }
        ids[count++] = arena_copy_string(arena, entry->d_name);
    }
    if (count > 0) {
        qsort(ids, count, sizeof(*ids), by_name);
    }
    *ret = ids;
    *ret_count = count;
    return 0;
}

static int look_at_entry(const char *root, const char *id, struct arena *arena, struct container_entry *ret, struct err *err) {
    AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
    struct stat status;
    if (state_dir_open(root, id, &dir, err) < 0) {
        return -1;
    }
    if (fstat(dir.fd, &status) < 0) {
        return err_sys(err, "look at the directory of container \"%s\"", id);
    }
    ret->owner = status.st_uid;
    return look(&dir, arena, &ret->state, err);
}

int container_list(const char *root, struct arena *arena, struct container_entry **ret, size_t *ret_count, struct err *err) {
    const char **ids;
    size_t total, count = 0;
    if (container_ids(root, arena, &ids, &total, err) < 0) {
        return -1;
    }
    struct container_entry *entries = arena_array(arena, total, sizeof(*entries));
    for (size_t i = 0; i < total; i++) {
        struct err one;
        if (look_at_entry(root, ids[i], arena, &entries[count], &one) == 0) {
            count++;
        } else if (one.kind != ERR_NOT_FOUND && one.errnum != ENOTDIR) {
            log_warn("%s", one.text); // the others are still of interest
        }
    }
    *ret = entries;
    *ret_count = count;
    return 0;
}
