#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/container/pending.h"
#include "runtime/container/removal.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"

// A `checkpoint` that was killed, with criu, which would have undone it.
static void thaw(const struct state_dir *dir, const struct container_record *record) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct err err;
    if ((record->cgroup && (removal_open_cgroup(record, &host, &cgroup, &err) < 0 || cgroup_thaw(&cgroup, &err) < 0)) ||
        state_dir_mark_frozen(dir, false, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static bool sweep_one(const char *root, const char *id) {
    bool free = false;
    struct state_dir dir = {.root_fd = -1, .fd = -1};
    struct arena arena = {0};
    struct container_record record;
    struct err err;
    if (state_dir_open(root, id, &dir, &err) < 0) {
        return true;
    }
    // Whoever holds the lock is alive and cares for it.
    if (state_dir_lock(&dir, false, &err) == 0) {
        free = true;
        int result = state_dir_read(&dir, &arena, &record, &err);
        if (result < 0 && err.kind == ERR_SYSTEM) {
            log_warn("%s", err.text);
        } else if (result < 0 || record.pid == 0) {
            log_debug("sweep: container \"%s\" was never whole, and its maker is gone: remove it", id);
            removal_unfinished(&dir);
        } else if (record.attached) {
            log_debug("sweep: the run that container \"%s\" belonged to is gone: remove it", id);
            // By what is locked and not by its id: that could be another's container as soon as this one is gone.
            if (removal_delete(&dir, true, &err) < 0) {
                log_warn("%s", err.text);
            }
        } else if (state_dir_is_marked_frozen(&dir)) {
            thaw(&dir, &record);
        }
    } else if (err.kind == ERR_NOT_FOUND) {
        free = true;
    }
    arena_finish(&arena);
    state_dir_finish(&dir);
    return free;
}

static bool runs(const struct state_dir *dir) {
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    struct err none;
    AUTO_FD int pidfd = state_dir_read(dir, &arena, &record, &none) < 0 ? -1 : removal_open_process(&record, &none);
    return pidfd >= 0;
}

void container_forget_earlier(const char *root, bool (*is_earlier)(const void *context, const char *id), const void *context) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    size_t count;
    struct err err;
    if (container_ids(root, &arena, &ids, &count, &err) < 0) {
        return; // there is no such folder
    }
    for (size_t i = 0; i < count; i++) {
        AUTO_STATE_DIR struct state_dir dir = {.root_fd = -1, .fd = -1};
        if (state_dir_open(root, ids[i], &dir, &err) == 0 && state_dir_lock(&dir, false, &err) == 0 &&
            (is_earlier(context, ids[i]) || !runs(&dir)) && state_dir_remove(&dir, &err) < 0) {
            log_warn("%s", err.text);
        }
    }
}

void container_sweep(const char *root) {
    pending_each(root, sweep_one);
}
