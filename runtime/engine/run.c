// Containers that are made and started: by a monitor, which is a clone of this process.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/foreground.h"
#include "runtime/engine/attach.h"
#include "runtime/engine/cid_file.h"
#include "runtime/engine/control.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/monitor_launch.h"
#include "runtime/engine/start.h"
#include "runtime/engine/target.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_ATTEMPTS = 16 };
static const char default_keys[] = "ctrl-p,ctrl-q";

static unsigned attach_flags(const struct engine_attach *attach) {
    unsigned flags = attach->output ? CONTROL_ATTACH_OUTPUT | CONTROL_ATTACH_HOLDS : 0;
    return flags | (attach->input ? CONTROL_ATTACH_INPUT | CONTROL_ATTACH_ENDS : 0);
}

static int serve(const struct start *start, const struct engine_attach *attach, const struct launched_monitor *started,
                 struct engine_end *ret, struct err *err) {
    char keys[ATTACH_MAX_KEYS];
    struct attach_end end;
    if (attach_parse_keys(attach->detach_keys ? attach->detach_keys : default_keys, keys, sizeof(keys), err) < 0) {
        return -1;
    }
    const struct attach_request request = {
        .socket = started->socket,
        .tty = start->request->tty,
        .input = attach->input,
        .output = attach->output,
        .hide_output = attach->hide_output,
        .hide_errors = attach->hide_errors,
        .pass_signals = attach->pass_signals,
        .detach_keys = keys,
    };
    if (attach_run(&request, &end, err) < 0) {
        return -1;
    }
    ret->goes_on = end.detached;
    ret->is_restarted = end.is_restarted;
    snprintf(ret->why, sizeof(ret->why), "%s", end.why);
    ret->status = end.status;
    return 0;
}

// Nothing of what failed is left when we return. Of a container that has ended nothing is there any more when the monitor says so, but the
// monitor itself, which has disk space to free: that is waited for only where the kernel would kill it with us, the first process of a pid
// namespace.
static bool must_wait(const struct start *start, const struct engine_end *end, int result) {
    return result < 0 ? !record_is_running(&start->home, end->id) : getpid() == 1 && !end->goes_on && !end->is_restarted;
}

static void wait_for_monitor(const struct launched_monitor *started) {
    siginfo_t ignored;
    process_reap(started->pidfd, &ignored);
}

// So that the command finds the size it will have.
static void take_size(struct start *start) {
    struct winsize size;
    if (start->request->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        start->rows = size.ws_row;
        start->columns = size.ws_col;
    }
}

// Where we stay with it, a signal that comes while it is being started reaches it when it has been.
static int start_and_serve(struct start *start, const struct engine_attach *attach, struct launched_monitor *started, struct engine_end *ret,
                           struct err *err) {
    sigset_t before;
    take_size(start);
    if (foreground_block(&before, err) < 0) {
        return -1;
    }
    int result = monitor_launch(start, attach_flags(attach), started, err);
    result = result < 0 ? -1 : serve(start, attach, started, ret, err);
    foreground_unblock(&before);
    return result;
}

static int run_started(struct start *start, const struct engine_attach *attach, struct engine_end *ret, struct err *err) {
    AUTO(launched_monitor_finish) struct launched_monitor started = {.socket = -1, .pidfd = -1};
    char keys[ATTACH_MAX_KEYS];
    snprintf(ret->id, sizeof(ret->id), "%s", start->record.id);
    if (attach->detach_keys && attach_parse_keys(attach->detach_keys, keys, sizeof(keys), err) < 0) {
        start_ended(start, true, false);
        return -1;
    }
    ret->goes_on = !attach->output;
    int result = attach->output ? start_and_serve(start, attach, &started, ret, err) : monitor_launch(start, 0, &started, err);
    if (started.pidfd >= 0 && must_wait(start, ret, result)) {
        wait_for_monitor(&started);
    }
    return result;
}

int engine_create(const struct engine *engine, const struct run_request *request, char ret_id[ENGINE_ID_SIZE], struct err *err) {
    AUTO_START struct start start = START_NONE;
    if (start_new(&start, engine, request, "create", err) < 0 || start_check(&start, "create", err) < 0) {
        return -1;
    }
    snprintf(ret_id, ENGINE_ID_SIZE, "%s", start.record.id);
    record_settle(&start.home, &start.dir);
    return 0;
}

int engine_run(const struct engine *engine, const struct run_request *request, struct engine_end *ret, struct err *err) {
    AUTO_START struct start start = START_NONE;
    *ret = (struct engine_end){0};
    const struct engine_attach attach = {
        .output = !request->detach,
        .input = !request->detach && request->interactive && !request->no_input,
        .hide_output = request->hide_output,
        .hide_errors = request->hide_errors,
        .pass_signals = request->pass_signals,
        .detach_keys = request->detach_keys,
    };
    if (start_new(&start, engine, request, "run", err) < 0) {
        return -1;
    }
    if (run_started(&start, &attach, ret, err) < 0) {
        cid_file_remove(request->cid_file);
        return err_in(err, "run %s", request->image);
    }
    return 0;
}

// What the lock was taken by: 1: it runs; 0: it has ended meanwhile.
static int is_running(const struct engine *engine, const char *id, const struct engine_attach *attach, struct err *err) {
    AUTO_TARGET struct target target = TARGET_NONE;
    struct control_message answer;
    if (target_open(&target, engine, id, err) < 0) {
        return -1;
    }
    int result = target_ask(&target, &(struct control_message){.kind = CONTROL_LOOK}, &answer, err);
    if (result > 0 && target_runs(&target) && attach->output) {
        return err_set(err, ERR_STATE, "its monitor was killed, nobody carries its output; stop it first");
    }
    return result < 0 ? -1 : result == 0 || target_runs(&target);
}

int engine_start(const struct engine *engine, const char *name, const struct engine_attach *attach, struct engine_end *ret,
                 struct err *err) {
    AUTO_START struct start start = START_NONE;
    AUTO_HOME struct home home = {.store_fd = -1, .containers_fd = -1, .names_fd = -1, .live_fd = -1};
    char id[RECORD_ID_SIZE];
    *ret = (struct engine_end){.goes_on = true};
    if (home_open(engine, &home, err) < 0 || record_find(&home, name, id, err) < 0) {
        return -1;
    }
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    record_repair_live(&home, id);
    // Each attempt but the last found one that ended just then.
    for (int attempts = 0; start_open(&start, engine, id, err) < 0; attempts++) {
        int result = err->kind == ERR_STATE && attempts < MAX_ATTEMPTS ? is_running(engine, id, attach, err) : -1;
        if (result < 0) {
            return err_in(err, "start %s", name);
        }
        if (result > 0) {
            return attach->output ? engine_attach(engine, name, attach, ret, err) : 0;
        }
        start_finish(&start);
        start = (struct start)START_NONE;
    }
    start.record.stopped = start.record.restarting = start.record.out_of_memory = false;
    start.record.exit_signal = 0;
    start.record.restarts = 0;
    struct engine_attach wanted = *attach;
    wanted.input = attach->input && start.request->interactive;
    return run_started(&start, &wanted, ret, err) < 0 ? err_in(err, "start %s", name) : 0;
}
