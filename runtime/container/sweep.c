#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/container.h"
#include "runtime/container/pending.h"
#include "runtime/container/removal.h"
#include "runtime/container/state_dir.h"

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
        int result = state_dir_read(&dir, &arena, &record, &err);
        if (result < 0 && err.kind == ERR_SYSTEM) {
            log_warn("%s", err.text);
        } else if (result < 0 || record.pid == 0) {
            log_debug("sweep: container \"%s\" was never whole, and its maker is gone: remove it", id);
            removal_unfinished(&dir);
        } else if (record.attached) {
            log_debug("sweep: the run that container \"%s\" belonged to is gone: remove it", id);
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
    pending_each(root, sweep_one);
}
