#include "runtime/engine/target.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/lock_watch.h"
#include "runtime/engine/request_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void target_finish(struct target *target) {
    fd_close(&target->socket);
    home_finish(&target->home);
    arena_finish(&target->arena);
}

static int read_record(struct target *target, struct err *err) {
    return record_read(&target->home, &target->arena, target->id, &target->record, err) < 0 ||
                   request_read_json(target->record.request, &target->arena, &target->request, err) < 0
               ? -1
               : 0;
}

static bool has_monitor(struct target *target, struct err *err) {
    fd_close(&target->socket);
    target->socket = control_connect(&target->home, target->id, err);
    return target->socket >= 0 || err->kind != ERR_NOT_FOUND;
}

// Who holds the lock and is no monitor yet is about to become one, or to let go. Mostly there is one at once, or nobody.
static int find_monitor(struct target *target, struct err *err) {
    AUTO_LOCK_WATCH struct lock_watch watch = {.dir_fd = -1, .events_fd = -1};
    bool found = has_monitor(target, err);
    if (!found && lock_watch_open(&target->home, target->id, CONTROL_PATIENCE_MS, &watch, err) < 0) {
        return 0; // it is gone, as its record will tell
    }
    while (!found && lock_watch_is_held(&watch) && lock_watch_wait(&watch, &target->home, target->id)) {
        found = has_monitor(target, err);
    }
    return found && target->socket < 0 ? -1 : 0;
}

// The record is read behind the look for a monitor: one that has ended has left its last word there.
int target_look(struct target *target, struct err *err) {
    return find_monitor(target, err) < 0 || read_record(target, err) < 0 ? -1 : 0;
}

int target_open(struct target *target, const struct engine *engine, const char *name, struct err *err) {
    if (home_open(engine, &target->home, err) < 0) {
        return -1;
    }
    record_sweep(&target->home);
    if (record_find(&target->home, name, target->id, err) < 0) {
        return -1;
    }
    record_repair_live(&target->home, target->id);
    if (!record_exists(&target->home, target->id) && record_find(&target->home, name, target->id, err) < 0) {
        return -1;
    }
    if (target_look(target, err) == 0) {
        return 0;
    }
    // Its record goes first when it is removed: it is as good as never there.
    return err->errnum != ENOENT ? -1 : err_set(err, ERR_NOT_FOUND, "no container is named \"%s\"; coffer ps --all lists them", name);
}

// 1: nobody is there any more.
static int ask_once(struct target *target, const struct control_message *wish, bool told, struct control_message *ret_answer,
                    struct err *err) {
    char room[CONTROL_MAX_BYTES];
    bool sent = told || control_send(target->socket, wish) == 0;
    int got = sent ? control_receive(target->socket, room, ret_answer) : -1;
    if (got < 0 && (sent || (errno != EPIPE && errno != ECONNRESET))) {
        return err_sys(err, "talk to the monitor of container %.12s", target->id);
    }
    if (got > 0 && ret_answer->kind == CONTROL_FAILED && ret_answer->size == sizeof(*err)) {
        memcpy(err, ret_answer->bytes, sizeof(*err));
        return -1;
    }
    bool explains = got > 0 && ret_answer->kind == CONTROL_ENDED;
    snprintf(target->why, sizeof(target->why), "%.*s", explains ? (int)ret_answer->size : 0, room);
    ret_answer->bytes = NULL;
    return got > 0 ? 0 : 1;
}

bool target_tell(const struct target *target, const struct control_message *wish) {
    return target->socket >= 0 && control_send(target->socket, wish) == 0;
}

int target_ask_told(struct target *target, const struct control_message *wish, bool told, struct control_message *ret_answer,
                    struct err *err) {
    for (; target->socket >= 0; told = false) {
        int result = ask_once(target, wish, told, ret_answer, err);
        if (result <= 0) {
            return result;
        }
        fd_close(&target->socket);
        if (!record_exists(&target->home, target->id)) {
            return 1;
        }
        if (target_look(target, err) < 0) {
            return record_exists(&target->home, target->id) ? -1 : 1;
        }
    }
    return 1;
}

int target_ask(struct target *target, const struct control_message *wish, struct control_message *ret_answer, struct err *err) {
    return target_ask_told(target, wish, false, ret_answer, err);
}

enum record_state target_state(const struct target *target) {
    return record_state(&target->home, &target->record);
}

bool target_runs(const struct target *target) {
    enum record_state state = target->socket >= 0 ? RECORD_RUNNING : target_state(target);
    return state == RECORD_RUNNING || state == RECORD_PAUSED;
}

int target_lock_stopped(const struct target *target, struct record_dir *ret_dir, struct err *err) {
    if (control_lock(&target->home, target->id, ret_dir, err) < 0) {
        return err->kind == ERR_STATE ? 1 : -1;
    }
    if (!record_runs_alone(&target->home, target->id)) {
        return 0;
    }
    record_dir_finish(ret_dir);
    (void)!err_set(err, ERR_STATE, "container %.12s is running", target->id);
    return 1;
}

int target_not_running(const struct target *target, const char *verb, const char *name, struct err *err) {
    return err_set(err, ERR_STATE,
                   target_state(target) == RECORD_RESTARTING ? "%s %s: it waits to be restarted; try again when it runs"
                                                             : "%s %s: it is not running",
                   verb, name);
}
