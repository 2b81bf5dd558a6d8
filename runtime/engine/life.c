// What is done to containers that are there: by their monitors, or without where there is none.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/container.h"
#include "runtime/container/exec.h"
#include "runtime/engine/attach.h"
#include "runtime/engine/control.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"
#include "runtime/engine/stdio.h"
#include "runtime/kernel/names.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { STOP_TIMEOUT_S = 10, MAX_KEYS = 16 };

// A container by its name, and the line to its monitor.
struct target {
    struct home home;
    struct arena arena;
    char id[RECORD_ID_SIZE];
    struct record record;
    struct run_request request;
    int socket; // -1: there is no monitor
};

#define TARGET_NONE                                                                                                                \
    { .home = {.store_fd = -1, .containers_fd = -1, .names_fd = -1, .live_fd = -1}, .socket = -1 }

static void target_finish(struct target *target) {
    fd_close(&target->socket);
    home_finish(&target->home);
    arena_finish(&target->arena);
}
#define AUTO_TARGET AUTO(target_finish)

static int target_open(struct target *target, const struct engine *engine, const char *name, struct err *err) {
    if (home_open(engine, &target->home, err) < 0) {
        return -1;
    }
    record_sweep(&target->home);
    if (record_find(&target->home, name, target->id, err) < 0 ||
        record_read(&target->home, &target->arena, target->id, &target->record, err) < 0) {
        return -1;
    }
    target->socket = control_connect(&target->home, target->id, err);
    return target->socket >= 0 || err->kind == ERR_NOT_FOUND ? 0 : -1;
}

static int not_running(const char *what, const char *name, struct err *err) {
    return err_set(err, ERR_STATE, "%s %s: it is not running", what, name);
}

static bool runs(const struct target *target) {
    enum record_state state = record_state(&target->home, &target->record);
    return state == RECORD_RUNNING || state == RECORD_PAUSED || state == RECORD_RESTARTING;
}

// Sends a wish and waits for the answer: DONE, or ENDED with its status.
static int ask(const struct target *target, const struct control_message *wish, int *ret_status, struct err *err) {
    char room[CONTROL_MAX_BYTES];
    struct control_message answer;
    int got = control_send(target->socket, wish) < 0 ? -1 : control_receive(target->socket, room, &answer);
    if (got < 0) {
        return err_sys(err, "talk to the monitor of container %.12s", target->id);
    }
    if (got == 0) {
        return err_set(err, ERR_STATE, "the monitor of container %.12s has ended meanwhile", target->id);
    }
    if (answer.kind == CONTROL_FAILED && answer.size == sizeof(*err)) {
        memcpy(err, answer.bytes, sizeof(*err));
        return -1;
    }
    *ret_status = (int)answer.value;
    return 0;
}

int engine_attach(const struct engine *engine, const char *name, const struct engine_attach *attach, struct engine_end *ret,
                  struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    char keys[MAX_KEYS];
    struct attach_end end;
    *ret = (struct engine_end){0};
    if (attach_parse_keys(attach->detach_keys ? attach->detach_keys : "ctrl-p,ctrl-q", keys, sizeof(keys), err) < 0 ||
        target_open(&target, engine, name, err) < 0 ||
        request_read_json(target.record.request, &target.arena, &target.request, err) < 0) {
        return -1;
    }
    if (target.socket < 0) {
        return runs(&target) ? err_set(err, ERR_STATE, "attach %s: its monitor was killed, nobody carries its output", name)
                             : not_running("attach", name, err);
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
    if (attach_run(&request, &end, err) < 0) {
        return err_in(err, "attach %s", name);
    }
    ret->goes_on = end.detached;
    ret->status = end.status;
    return 0;
}

// Without a monitor the low level alone says when it is over.
static int stop_alone(struct target *target, const char *name, struct err *err) {
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    if (!runs(target)) {
        return 0;
    }
    if (record_lock(&target->home, target->id, &dir, err) < 0 ||
        container_delete(target->home.oci_root, target->id, true, err) < 0) {
        return err_in(err, "stop %s", name);
    }
    record_settle(&target->home, &dir);
    return 0;
}

static int64_t timeout_ms(const struct target *target, const struct engine_stop *stop) {
    const struct opt_i64 *own = &target->request.stop_timeout_s;
    int64_t seconds = stop->has_timeout ? stop->timeout_s : own->set ? own->value : STOP_TIMEOUT_S;
    return seconds < 0 ? -1 : seconds * 1000;
}

int engine_stop(const struct engine *engine, const char *name, const struct engine_stop *stop, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    int status;
    if (target_open(&target, engine, name, err) < 0 ||
        request_read_json(target.record.request, &target.arena, &target.request, err) < 0) {
        return -1;
    }
    if (target.socket < 0) {
        return stop_alone(&target, name, err);
    }
    const struct control_message wish = {.kind = CONTROL_STOP, .value = timeout_ms(&target, stop), .extra = stop->signal};
    if (ask(&target, &wish, &status, err) < 0) {
        return err_in(err, "stop %s", name);
    }
    control_wait_closed(target.socket); // all is written down, and the lock is free
    return 0;
}

int engine_pause(const struct engine *engine, const char *name, bool paused, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    const char *verb = paused ? "pause" : "unpause";
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!runs(&target)) {
        return not_running(verb, name, err);
    }
    int result =
        paused ? container_pause(target.home.oci_root, target.id, err) : container_resume(target.home.oci_root, target.id, err);
    return result < 0 ? err_in(err, "%s %s", verb, name) : 0;
}

// The low level's exec carries its own descriptors; ours are the command's.
int engine_exec(const struct engine *engine, const char *name, const struct engine_exec *exec, int *ret_status, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_STRV struct strv caps = {0};
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!runs(&target)) {
        return not_running("exec", name, err);
    }
    for (int i = 0; exec->privileged && name_of_capability(i); i++) {
        strv_add(&caps, name_of_capability(i));
    }
    AUTO(stdio_finish) struct stdio stdio = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
    if (!exec->tty && stdio_open(&stdio, exec->interactive, err) < 0) {
        return -1;
    }
    const struct exec_options options = {
        .root = target.home.oci_root,
        .id = target.id,
        .args = exec->command,
        .arg_count = exec->command_count,
        .cwd = exec->workdir,
        .env = exec->env,
        .user = exec->user,
        .caps = &caps,
        .terminal = exec->tty,
        .detach = exec->detach,
        .give_stdio = exec->tty ? NULL : stdio.theirs,
        .pipes = {stdio.ours[0], stdio.ours[1], stdio.ours[2]},
    };
    int result = container_exec(&options, ret_status, err);
    if (options.give_stdio && options.pipes[0] >= 0) {
        stdio.ours[0] = -1; // taken, and closed at the end of our input
    }
    return result < 0 ? err_in(err, "exec %s", name) : 0;
}

int engine_kill(const struct engine *engine, const char *name, int signal, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    int status;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!runs(&target)) {
        return not_running("kill", name, err);
    }
    if (target.socket < 0) {
        return container_kill(target.home.oci_root, target.id, signal, false, err);
    }
    return ask(&target, &(struct control_message){.kind = CONTROL_KILL, .value = signal}, &status, err) < 0
               ? err_in(err, "kill %s", name)
               : 0;
}

int engine_wait(const struct engine *engine, const char *name, int *ret_status, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (target.socket < 0) {
        *ret_status = target.record.exit_code;
        return runs(&target) ? err_set(err, ERR_STATE, "wait %s: its monitor was killed, nobody will learn how it ends", name) : 0;
    }
    return ask(&target, &(struct control_message){.kind = CONTROL_WAIT}, ret_status, err) < 0 ? err_in(err, "wait %s", name) : 0;
}

int engine_rename(const struct engine *engine, const char *name, const char *new_name, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    int status;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (target.socket >= 0) {
        const struct control_message wish = {.kind = CONTROL_RENAME, .size = (uint32_t)strlen(new_name), .bytes = new_name};
        return ask(&target, &wish, &status, err);
    }
    return record_lock(&target.home, target.id, &dir, err) < 0 ? -1
                                                               : record_rename(&target.home, &dir, &target.record, new_name, err);
}

int engine_remove(const struct engine *engine, const char *name, bool force, bool volumes, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    int status;
    if (target_open(&target, engine, name, err) < 0) {
        return -1;
    }
    if (!force && runs(&target)) {
        return err_set(err, ERR_STATE, "remove %s (--force kills it first): container %.12s is running", name, target.id);
    }
    if (target.socket >= 0) {
        // Its own end of the line closes when it is gone, and with --rm it has removed all by then.
        struct err gone;
        const struct control_message wish = {.kind = CONTROL_STOP, .value = 0, .extra = SIGKILL};
        (void)ask(&target, &wish, &status, &gone);
        control_wait_closed(target.socket);
    }
    if (record_lock(&target.home, target.id, &dir, err) < 0) {
        return err->errnum == ENOENT ? 0 : err_in(err, "remove %s", name);
    }
    return record_remove(&target.home, &dir, volumes, err);
}
