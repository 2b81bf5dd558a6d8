// What is done to containers that are there: by their monitors, or without where there is none.
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/attach.h"
#include "runtime/engine/connection_sweep.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/event_log.h"
#include "runtime/engine/hold.h"
#include "runtime/engine/live.h"
#include "runtime/engine/target.h"
#include "runtime/kernel/names.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int engine_attach(const struct engine *engine, const char *name, const struct engine_attach *attach, struct engine_end *ret,
                  struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    char keys[ATTACH_MAX_KEYS];
    struct attach_end end;
    *ret = (struct engine_end){0};
    if (attach_parse_keys(attach->detach_keys ? attach->detach_keys : "ctrl-p,ctrl-q", keys, sizeof(keys), err) < 0 ||
        target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (target.socket < 0) {
        return target_runs(&target) ? err_set(err, ERR_STATE, "attach %s: its monitor was killed, nobody carries its output", name)
                                    : target_not_running(&target, "attach", name, err);
    }
    if (target_state(&target) == RECORD_RESTARTING) {
        return target_not_running(&target, "attach", name, err);
    }
    bool input = attach->input && target.request.interactive;
    const struct attach_request request = {
        .socket = target.socket,
        .tty = target.request.tty,
        .input = input,
        .output = true,
        .pass_signals = attach->pass_signals,
        .tell = true,
        .flags = CONTROL_ATTACH_OUTPUT | (input ? CONTROL_ATTACH_INPUT : 0u),
        .detach_keys = keys,
    };
    events_add_container(&target.home, &(struct event_log_container){.record = &target.record, .labels = &target.request.labels}, "attach");
    if (attach_run(&request, &end, err) < 0) {
        return err_in(err, "attach %s", name);
    }
    ret->goes_on = end.detached;
    ret->status = end.status;
    snprintf(ret->why, sizeof(ret->why), "%s", end.why);
    snprintf(ret->id, sizeof(ret->id), "%s", target.id);
    return 0;
}

// Tells what is done to it, and one thing more where `key` is not NULL.
static void announce(const struct target *target, const char *action, const char *key, const char *value) {
    const struct event_log_container what = {&target->record, &target->request.labels, key, value};
    events_add_container(&target->home, &what, action);
}

static void announce_signal(const struct target *target, int signal) {
    char number[16];
    snprintf(number, sizeof(number), "%d", signal);
    announce(target, "kill", "signal", number);
}

// --- stop ---

static int own_signal(const struct target *target, const struct engine_stop *stop) {
    int own = target->request.stop_signal ? name_signal(target->request.stop_signal) : SIGTERM;
    return stop->signal > 0 ? stop->signal : own > 0 ? own : SIGTERM;
}

// Until it has ended, at most for so long; below 0: for ever.
static void wait_for_end(const struct target *target, int64_t most_ms) {
    struct supervised *container;
    struct err ended;
    if (container_adopt(target->home.oci_root, target->id, &container, &ended) < 0) {
        return;
    }
    struct pollfd end = {.fd = supervised_pidfd(container), .events = POLLIN};
    int64_t until_ms = clock_now_ms() + most_ms, left_ms = most_ms;
    while (poll(&end, 1, most_ms < 0 ? -1 : left_ms < INT_MAX ? (int)left_ms : INT_MAX) < 0 && errno == EINTR) {
        left_ms = until_ms > clock_now_ms() ? until_ms - clock_now_ms() : 0;
    }
    supervised_destroy(container);
}

// Only for one that no monitor can be made for. The low level alone says when it is over. 1: it has a monitor by now, or is about to: it was
// just being started.
static int stop_alone(struct target *target, int64_t timeout, int signal, struct err *err) {
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    struct err ended;
    if (!target_runs(target)) {
        return 0;
    }
    if (control_lock(&target->home, target->id, &dir, err) < 0) {
        return err->kind == ERR_STATE ? 1 : -1;
    }
    target->record.stopped = true;
    if (record_write(&dir, &target->record, err) < 0) {
        return -1;
    }
    if (timeout != 0 && container_kill(target->home.oci_root, target->id, signal, false, &ended) == 0) {
        (void)!container_resume(target->home.oci_root, target->id, &ended);
        wait_for_end(target, timeout);
    }
    if (container_delete(target->home.oci_root, target->id, true, err) < 0) {
        return -1;
    }
    record_dir_finish(&dir);
    return record_repair(&target->home, target->id) == RECORD_NOT_REPAIRED ? err_set(err, ERR_STATE, "see the warnings") : 0;
}

static int64_t timeout_ms(const struct target *target, const struct engine_stop *stop) {
    if (!stop->has_timeout) {
        return request_stop_timeout_ms(&target->request);
    }
    return stop->timeout_s < 0 ? -1 : stop->timeout_s * 1000;
}

struct engine_stopping {
    struct target target;
    struct engine_stop stop;
    struct control_message wish;
    const char *name;
    bool runs, told;
};

static void stopping_free(struct engine_stopping **stopping) {
    if (*stopping) {
        target_finish(&(*stopping)->target);
        free(*stopping);
    }
}

struct engine_stopping *engine_stop_begin(const struct engine *engine, const char *name, const struct engine_stop *stop, struct err *err) {
    AUTO(stopping_free) struct engine_stopping *stopping = mem_alloc(sizeof(*stopping));
    *stopping = (struct engine_stopping){.target = TARGET_NONE, .stop = *stop, .name = name};
    if (target_open(&stopping->target, engine, name, err) < 0) {
        return NULL;
    }
    stopping->runs = target_runs(&stopping->target);
    if (stopping->runs) {
        announce_signal(&stopping->target, own_signal(&stopping->target, stop));
    }
    stopping->wish = (struct control_message){.kind = CONTROL_STOP, .value = timeout_ms(&stopping->target, stop), .extra = stop->signal};
    stopping->told = target_tell(&stopping->target, &stopping->wish);
    struct engine_stopping *begun = stopping;
    stopping = NULL;
    return begun;
}

// Whoever has no monitor when we look may have one when we would do without.
static int stop_or_ask(struct engine_stopping *stopping, struct err *err) {
    struct target *target = &stopping->target;
    struct control_message answer;
    struct err busy;
    bool told = stopping->told;
    for (;; told = false) {
        int result = target_ask_told(target, &stopping->wish, told, &answer, err);
        result = result <= 0 ? result : stop_alone(target, stopping->wish.value, own_signal(target, &stopping->stop), err);
        if (result <= 0) {
            return result;
        }
        busy = *err;
        if (target_look(target, err) < 0) {
            return -1;
        }
        if (target->socket < 0) {
            *err = busy;
            return target_runs(target) ? -1 : 0;
        }
    }
}

int engine_stop_finish(struct engine_stopping *give_stopping, struct err *err) {
    AUTO(stopping_free) struct engine_stopping *stopping = give_stopping;
    struct target *target = &stopping->target;
    int result = stop_or_ask(stopping, err);
    if (result == 0 && stopping->runs) {
        announce(target, "stop", NULL, NULL);
    }
    return result < 0 ? err_in(err, "stop %s", stopping->name) : 0;
}

int engine_stop(const struct engine *engine, const char *name, const struct engine_stop *stop, struct err *err) {
    struct engine_stopping *stopping = engine_stop_begin(engine, name, stop, err);
    return stopping ? engine_stop_finish(stopping, err) : -1;
}

void engine_announce(const struct engine *engine, const char *name, const char *action) {
    AUTO_TARGET struct target target = TARGET_NONE;
    struct err gone;
    if (target_open(&target, engine, name, &gone) == 0) {
        announce(&target, action, NULL, NULL);
    }
}

int engine_pause(const struct engine *engine, const char *name, bool paused, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    const char *verb = paused ? "pause" : "unpause";
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!target_runs(&target) || target_state(&target) == RECORD_RESTARTING) {
        return target_not_running(&target, verb, name, err);
    }
    // A commit that holds it meanwhile is waited for: it would take this pause away with its own.
    AUTO_FD int lock = paused ? hold_lock(&target.home, target.id, err) : -1;
    if (paused && lock < 0 && err->errnum != ENOENT) {
        return -1;
    }
    int result =
        paused ? container_pause(target.home.oci_root, target.id, err) : container_resume(target.home.oci_root, target.id, err);
    if (result == 0) {
        announce(&target, verb, NULL, NULL);
    }
    return result < 0 ? err_in(err, "%s %s", verb, name) : 0;
}

int engine_kill(const struct engine *engine, const char *name, int signal, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    struct control_message answer;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (target_runs(&target)) {
        announce_signal(&target, signal); // it comes before the end that it brings
    }
    int result = target_ask(&target, &(struct control_message){.kind = CONTROL_KILL, .value = signal}, &answer, err);
    if (result > 0 && !target_runs(&target)) {
        return target_not_running(&target, "kill", name, err);
    }
    result = result <= 0 ? result : container_kill(target.home.oci_root, target.id, signal, false, err);
    return result < 0 ? err_in(err, "kill %s", name) : 0;
}

int engine_wait(const struct engine *engine, const char *name, struct engine_end *ret, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    struct control_message answer;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    int result = target_ask(&target, &(struct control_message){.kind = CONTROL_WAIT}, &answer, err);
    if (result > 0 && target_runs(&target)) {
        return err_set(err, ERR_STATE, "wait %s: its monitor was killed, nobody will learn how it ends", name);
    }
    *ret = (struct engine_end){.status = result > 0 ? target.record.exit_code : (int)answer.value};
    snprintf(ret->id, sizeof(ret->id), "%s", target.id);
    if (result > 0) {
        ending_explain(&target.record, ret->why);
    } else if (result == 0) {
        snprintf(ret->why, sizeof(ret->why), "%s", target.why);
    }
    return result < 0 ? err_in(err, "wait %s", name) : 0;
}

// The monitor's answer about its health; an end in place of it is an error.
static int ask_health(const struct engine *engine, const char *name, const struct control_message *wish, const char *verb,
                      struct control_message *ret_answer, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    int result = target_ask(&target, wish, ret_answer, err);
    if (result > 0) {
        return target_runs(&target) ? err_set(err, ERR_STATE, "%s %s: its monitor was killed, nobody checks its health", verb, name)
                                    : target_not_running(&target, verb, name, err);
    }
    if (result == 0 && ret_answer->kind == CONTROL_ENDED) {
        return err_set(err, ERR_STATE, "%s %s: it has ended with exit code %d", verb, name, (int)ret_answer->value);
    }
    return result < 0 ? err_in(err, "%s %s", verb, name) : 0;
}

int engine_wait_healthy(const struct engine *engine, const char *name, struct err *err) {
    const struct control_message wish = {.kind = CONTROL_WAIT, .value = CONTROL_WAIT_HEALTHY};
    struct control_message answer;
    return ask_health(engine, name, &wish, "wait", &answer, err);
}

int engine_check_health(const struct engine *engine, const char *name, bool *ret_healthy, struct err *err) {
    struct control_message answer;
    if (ask_health(engine, name, &(struct control_message){.kind = CONTROL_CHECK}, "check", &answer, err) < 0) {
        return -1;
    }
    *ret_healthy = answer.value == 0;
    return 0;
}

int engine_processes(const struct engine *engine, const char *name, pid_t **ret_pids, size_t *ret_count, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!target_runs(&target) || target_state(&target) == RECORD_RESTARTING) {
        return target_not_running(&target, "top", name, err);
    }
    int result = container_processes(target.home.oci_root, target.id, ret_pids, ret_count, err);
    return result < 0 ? err_in(err, "top %s", name) : 0;
}

int engine_rename(const struct engine *engine, const char *name, const char *new_name, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    struct control_message answer;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    const char *old_name = target.record.name;
    const struct control_message wish = {.kind = CONTROL_RENAME, .size = (uint32_t)strlen(new_name), .bytes = new_name};
    int result = target_ask(&target, &wish, &answer, err);
    if (result > 0) {
        result = control_lock(&target.home, target.id, &dir, err) < 0
                     ? -1
                     : record_rename(&target.home, &dir, &target.record, new_name, err);
    }
    if (result < 0) {
        return err_in(err, "rename %s", name);
    }
    target.record.name = new_name;
    announce(&target, "rename", "oldName", old_name);
    return 0;
}

// Nothing takes away what it cannot read, but who is told to.
static int remove_damaged(const struct target *target, bool force, struct err *err) {
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    if (control_lock(&target->home, target->id, &dir, err) < 0) {
        return -1;
    }
    if (!force && record_runs_alone(&target->home, target->id)) {
        return err_set(err, ERR_STATE, "(--force kills it first): container %.12s is running", target->id);
    }
    return record_remove(&target->home, &dir, false, err);
}

// 1: it was started by another command just when it had ended.
static int remove_once(const struct engine *engine, const char *name, bool force, bool volumes, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    struct control_message answer;
    if (target_open(&target, engine, name, err) < 0) {
        return err->kind != ERR_CORRUPT ? -1 : remove_damaged(&target, force, err) < 0 ? err_in(err, "remove %s", name) : 0;
    }
    if (!force && target_runs(&target)) {
        return err_set(err, ERR_STATE, "remove %s (--force kills it first): container %.12s is running", name, target.id);
    }
    // With --rm it has removed all when it answers.
    const struct control_message wish = {.kind = CONTROL_STOP, .value = 0, .extra = SIGKILL};
    if (target_ask(&target, &wish, &answer, err) < 0) {
        return err_in(err, "remove %s", name);
    }
    if (control_lock(&target.home, target.id, &dir, err) < 0) {
        return err->errnum == ENOENT ? 0 : force && err->kind == ERR_STATE ? 1 : err_in(err, "remove %s", name);
    }
    if (live_is_there(&target.home, target.id)) {
        connection_sweep(&target.home, target.id); // its monitor was killed just now
    }
    return record_remove(&target.home, &dir, volumes, err);
}

int engine_remove(const struct engine *engine, const char *name, bool force, bool volumes, struct err *err) {
    enum { MAX_ATTEMPTS = 16 };
    int result = 1;
    for (int i = 0; i < MAX_ATTEMPTS && result > 0; i++) {
        *err = (struct err){0};
        result = remove_once(engine, name, force, volumes, err);
    }
    return result > 0 ? err_in(err, "remove %s", name) : result;
}
