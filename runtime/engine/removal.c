#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/engine/adopt.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/commons.h"
#include "runtime/engine/connection_sweep.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/home.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/links.h"
#include "runtime/engine/live.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// A run-time folder without a container is debris, or the first step of one that is being made: files are in it only when the
// container's folder was there before. Who makes one makes the run-time folder again where it is missing.
static void sweep_lone_live(const struct home *home, const char *id) {
    struct err err;
    if (unlinkat(home->live_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        if (!record_exists(home, id)) {
            live_remove(home, id);
        }
    } else if (record_exists(home, id) && live_make(home, id, &err) < 0) {
        log_warn("%s", err.text);
    }
}

// The order lets a sweep finish what is cut off anywhere. What only the record tells of goes first, then the record, and a folder
// without one is debris to any command that comes by. Given back sooner, name and ids could be another's while the record still claims them.
int record_remove(const struct home *home, struct record_dir *dir, bool volumes, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct record record = {0};
    struct err unread;
    bool has_record = record_read(home, &arena, dir->id, &record, &unread) == 0;
    if (container_delete(home->oci_root, dir->id, true, err) < 0) {
        return -1;
    }
    if (has_record) {
        if ((volumes || record.remove) && mount_list_remove_own(home, dir->id, record.mounts, err) < 0) {
            return err_in(err, "remove container %.12s", dir->id);
        }
        // From here on it is debris, whose name and ids are found by their owner; and that by its run-time folder, or by `system repair`.
        struct err none;
        (void)!live_make(home, dir->id, &none);
        unlinkat(dir->fd, "record.json", 0);
        if (record.name && *record.name) {
            links_release(home->names_fd, record.name, dir->id);
        }
        if (record.has_range) {
            idrange_release(home->store_fd, dir->id, record.first_id);
        }
    } else {
        // Its making was cut off before there was a record: what it had taken is found by its owner.
        links_remove(home->names_fd, dir->id);
        idrange_release_all(home->store_fd, dir->id);
    }
    if (home_remove_tree(home, home->containers_fd, dir->id, err) < 0) {
        return err_in(err, "remove container %.12s", dir->id);
    }
    if (has_record) {
        events_add_container(home, &(struct event_log_container){.record = &record}, "destroy");
    }
    if (has_record) {
        live_remove(home, dir->id);
    } else {
        sweep_lone_live(home, dir->id); // whoever was making it may be making it anew already
    }
    return 0;
}

// Of its own things overlay leaves the one whiteout behind that all others are links to, and what it was at when it was killed. An
// index, which kernels may be built to keep, stays, as it belongs to the upper directory.
void record_settle(const struct home *home, const struct record_dir *dir) {
    struct err err = {0};
    if (unlinkat(dir->fd, "work/work", AT_REMOVEDIR) < 0 && errno != ENOENT &&
        tree_remove_later(dir->fd, "work/work", home->graves, &err) < 0) {
        log_info("container %.12s: %s", dir->id, err.text); // overlay does it when it is mounted again
    }
    unlinkat(dir->fd, "work", AT_REMOVEDIR);
    live_remove(home, dir->id);
}

bool record_runs_alone(const struct home *home, const char *id) {
    unsigned status;
    struct err gone;
    return container_status(home->oci_root, id, &status, NULL, &gone) == 0 && status != OCI_STATUS_STOPPED &&
           status != OCI_STATUS_CREATING && status != OCI_STATUS_CREATED;
}

static enum record_repair adopt(const struct home *home, struct record_dir *dir, enum monitor_adopts adopts) {
    struct err err;
    if (adopt_container(home, dir, adopts, &err) < 0) {
        log_warn("%s", err.text);
        return RECORD_ALONE;
    }
    log_warn("container %.12s: its monitor was killed; it has another one now", dir->id);
    return RECORD_ADOPTED;
}

// What is known of the end of one that nobody looked after: that it has ended by now. One that waited to be started again had ended before.
static void write_end(const struct home *home, const struct record_dir *dir, struct record *record) {
    AUTO_ARENA struct arena arena = {0};
    struct attachment_list networks;
    struct err err;
    if (attachment_list_read(record->networks, &arena, &networks, &err) == 0) {
        record->networks = attachment_list_write(&networks, false, &arena);
    }
    if (record->pid != 0) {
        record->exit_code = RECORD_EXIT_UNKNOWN;
        record->exit_unknown = true;
        record->finished_s = time(NULL);
        events_add_container(home, &(struct event_log_container){record, NULL, "exitCode", "unknown"}, "die");
    }
    record->pid = 0;
    record->restarting = false;
    if (record_write(dir, record, &err) < 0) {
        log_warn("container %.12s: %s", dir->id, err.text);
    }
}

// was_live: in this boot. What an earlier one has left is started by `coffer boot`.
static enum record_repair settle(const struct home *home, struct record_dir *dir, struct record *record, bool was_live) {
    struct err err;
    bool ran = record->pid != 0 || record->restarting;
    if (container_delete(home->oci_root, dir->id, true, &err) < 0) {
        log_warn("%s", err.text);
        return RECORD_NOT_REPAIRED;
    }
    if (ran) {
        write_end(home, dir, record);
    }
    if (ran && was_live && adopt_wants_restart(record)) {
        return adopt(home, dir, MONITOR_ADOPTS_ENDED);
    }
    record_settle(home, dir);
    return was_live || ran ? RECORD_SETTLED : RECORD_IN_ORDER;
}

enum record_repair record_repair(const struct home *home, const char *id) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    struct record record = {0};
    struct err err = {0};
    if (record_lock(home, id, &dir, &err) < 0) {
        if (err.errnum == ENOENT) {
            sweep_lone_live(home, id);
        }
        return RECORD_IN_ORDER;
    }
    if (record_runs_alone(home, id)) {
        return adopt(home, &dir, MONITOR_ADOPTS);
    }
    bool was_live = live_is_there(home, id), has_record = record_read(home, &arena, id, &record, &err) == 0;
    if (was_live || record.pid != 0) {
        connection_sweep(home, id);
    }
    if (has_record && !record.remove) {
        return settle(home, &dir, &record, was_live);
    }
    // What is only half made has none yet. One that cannot be read may be of a container with all that somebody has written in it.
    bool is_half_made = !has_record && err.errnum == ENOENT;
    if ((!has_record && !is_half_made) || record_remove(home, &dir, false, &err) < 0) {
        log_warn("%s", err.text);
        return RECORD_NOT_REPAIRED;
    }
    return RECORD_REMOVED;
}

static void sweep_one(const struct home *home, const char *id) {
    (void)record_repair(home, id);
}

void record_repair_live(const struct home *home, const char *id) {
    if (live_is_there(home, id)) {
        (void)record_repair(home, id);
    }
}

void record_sweep(const struct home *home) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    struct err err;
    live_begin(home);
    commons_sweep(home);
    container_sweep(home->oci_root);
    if (live_some(home, sweep_one)) {
        return;
    }
    if (record_list(home, &arena, &ids, &err) < 0) {
        log_warn("%s", err.text);
        return;
    }
    for (; *ids; ids++) {
        sweep_one(home, *ids);
    }
    if (faccessat(home->store_fd, "networks", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        leases_sweep(home);
    }
    live_set_swept(home);
}
