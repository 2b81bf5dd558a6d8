#include "runtime/container/sweep.h"

#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"

#include <string.h>

enum { WAIT_MS = 1000 };

// The path that was written down is removed only when its last name carries the container's id, and only when it is empty: a group
// that the configuration named may have been there before, with others' processes. Init, if it came that far, ends by itself: its
// maker's death closes the channel on which it waits for its plan.
static void remove_noted_cgroup(const struct state_dir *dir, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!strstr(name, dir->id)) {
        return;
    }
    struct err err;
    AUTO_CGROUP_HOST struct cgroup_host host = {0};
    AUTO_CGROUP struct cgroup cgroup = {0};
    if (cgroup_detect(&host, &err) < 0 || cgroup_open(&host, path, CGROUP_ALL, &cgroup, &err) < 0) {
        return;
    }
    for (size_t i = 0; i < cgroup.count; i++) {
        cgroup.dirs[i].made = 1;
    }
    int state = cgroup_wait_empty(&cgroup, WAIT_MS, &err);
    if (state < 0 || (state == 0 && cgroup_remove(&cgroup, WAIT_MS, &err) < 0)) {
        log_warn("%s", err.text);
    }
}

void sweep_unfinished(struct state_dir *dir) {
    AUTO_ARENA struct arena arena = {0};
    struct container_record record;
    struct err err;
    if (state_dir_read(dir, &arena, &record, &err) == 0 && record.cgroup_path) {
        remove_noted_cgroup(dir, record.cgroup_path);
    }
    if (state_dir_remove(dir, &err) < 0) {
        log_warn("%s", err.text);
    }
}

static void sweep_one(const char *root, const char *id) {
    struct state_dir dir = {.root_fd = -1, .fd = -1};
    struct arena arena = {0};
    struct container_record record;
    struct err err;
    if (state_dir_open(root, id, &dir, &err) < 0) {
        return;
    }
    // Whoever holds the lock is alive and cares for it.
    if (state_dir_lock(&dir, false, &err) == 0) {
        if (state_dir_read(&dir, &arena, &record, &err) < 0 || record.pid == 0) {
            sweep_unfinished(&dir);
        } else if (record.attached) {
            state_dir_finish(&dir); // delete takes the lock itself
            if (container_delete(root, id, true, &err) < 0) {
                log_warn("%s", err.text);
            }
        }
    }
    arena_finish(&arena);
    state_dir_finish(&dir);
}

void container_sweep(const char *root) {
    AUTO_DIR DIR *stream = opendir(root);
    if (!stream) {
        return;
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        struct err ignored;
        if (container_id_check(entry->d_name, &ignored) == 0) {
            sweep_one(root, entry->d_name);
        }
    }
}
