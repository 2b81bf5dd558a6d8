// Containers that are made and started: by a monitor, which is a clone of this process.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/attach.h"
#include "runtime/engine/control.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/monitor.h"
#include "runtime/engine/start.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_KEYS = 16 };
static const char default_keys[] = "ctrl-p,ctrl-q";

// A monitor at work, as its starter has it.
struct started {
    int socket;
    int pidfd;
};

static void started_finish(struct started *started) {
    fd_close(&started->socket);
    fd_close(&started->pidfd);
}

static void become_monitor(struct start *start, unsigned attached, int socket) {
    const struct monitor_request request = {
        .home = &start->home,
        .dir = &start->dir,
        .record = &start->record,
        .container = {.start = start_container, .ended = start_ended, .context = start},
        .log = &start->log_options,
        .tty = start->request->tty,
        .interactive = start->request->interactive,
        .starter_attached = attached,
        .stop_signal = start_stop_signal(start),
    };
    monitor_run(&request, socket);
    _exit(0);
}

// The lock goes over to the monitor: ours is closed. Waits until the container's command runs.
static int start_monitor(struct start *start, unsigned attached, struct started *ret, struct err *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a socket for the monitor");
    }
    ret->socket = pair[0];
    pid_t pid = process_clone(0, -1, &ret->pidfd);
    if (pid < 0) {
        close(pair[1]);
        return err_sys(err, "start the container's monitor");
    }
    if (pid == 0) {
        fd_close(&ret->socket);
        become_monitor(start, attached, pair[1]);
    }
    close(pair[1]);
    record_dir_finish(&start->dir);
    return attach_wait_started(ret->socket, err);
}

static unsigned attach_flags(const struct engine_attach *attach) {
    unsigned flags = attach->output ? CONTROL_ATTACH_OUTPUT | CONTROL_ATTACH_HOLDS : 0;
    return flags | (attach->input ? CONTROL_ATTACH_INPUT | CONTROL_ATTACH_ENDS : 0);
}

static int serve(const struct start *start, const struct engine_attach *attach, const struct started *started,
                 struct engine_end *ret, struct err *err) {
    char keys[MAX_KEYS];
    struct attach_end end;
    if (attach_parse_keys(attach->detach_keys ? attach->detach_keys : default_keys, keys, sizeof(keys), err) < 0) {
        return -1;
    }
    const struct attach_request request = {
        .socket = started->socket,
        .tty = start->request->tty,
        .input = attach->input,
        .output = attach->output,
        .pass_signals = attach->pass_signals,
        .detach_keys = keys,
    };
    if (attach_run(&request, &end, err) < 0) {
        return -1;
    }
    ret->goes_on = end.detached;
    ret->status = end.status;
    return 0;
}

// Nothing of ours is left when we return: the monitor's last word comes a moment before its end.
static void wait_for_monitor(const struct started *started) {
    siginfo_t ignored;
    process_reap(started->pidfd, &ignored);
}

static int run_started(struct start *start, const struct engine_attach *attach, struct engine_end *ret, struct err *err) {
    AUTO(started_finish) struct started started = {.socket = -1, .pidfd = -1};
    char keys[MAX_KEYS];
    snprintf(ret->id, sizeof(ret->id), "%s", start->record.id);
    if (attach->detach_keys && attach_parse_keys(attach->detach_keys, keys, sizeof(keys), err) < 0) {
        start_ended(start, true, false);
        return -1;
    }
    if (start_monitor(start, attach_flags(attach), &started, err) < 0) {
        if (started.pidfd >= 0) {
            wait_for_monitor(&started);
        }
        return -1;
    }
    if (!attach->output) {
        ret->goes_on = true;
        return 0;
    }
    if (serve(start, attach, &started, ret, err) < 0) {
        return -1;
    }
    if (!ret->goes_on) {
        wait_for_monitor(&started);
    }
    return 0;
}

int engine_create(const struct engine *engine, const struct run_request *request, char ret_id[ENGINE_ID_SIZE], struct err *err) {
    AUTO_START struct start start = START_NONE;
    if (start_new(&start, engine, request, "create", err) < 0) {
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
        .input = !request->detach && request->interactive,
        .pass_signals = request->pass_signals,
        .detach_keys = request->detach_keys,
    };
    if (start_new(&start, engine, request, "run", err) < 0) {
        return -1;
    }
    return run_started(&start, &attach, ret, err) < 0 ? err_in(err, "run %s", request->image) : 0;
}

int engine_start(const struct engine *engine, const char *name, const struct engine_attach *attach, struct engine_end *ret,
                 struct err *err) {
    AUTO_START struct start start = START_NONE;
    char id[RECORD_ID_SIZE];
    *ret = (struct engine_end){.goes_on = true};
    AUTO_HOME struct home home = {.store_fd = -1, .containers_fd = -1, .names_fd = -1, .live_fd = -1};
    if (home_open(engine, &home, err) < 0 || record_find(&home, name, id, err) < 0) {
        return -1;
    }
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    if (start_open(&start, engine, id, err) < 0) {
        return err->kind == ERR_STATE && !attach->output ? 0 : err_in(err, "start %s", name);
    }
    start.record.stopped = false;
    start.record.out_of_memory = false;
    struct engine_attach wanted = *attach;
    wanted.input = attach->input && start.request->interactive;
    return run_started(&start, &wanted, ret, err) < 0 ? err_in(err, "start %s", name) : 0;
}
