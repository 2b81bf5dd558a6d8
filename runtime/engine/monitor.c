#include "runtime/engine/monitor.h"

#include "runtime/base/clock.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/home.h"
#include "runtime/engine/log_options.h"
#include "runtime/engine/monitor_state.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

// --- becoming one ---

// What came with the command from its caller: ours all close on exec.
static int close_strangers(struct err *err) {
    AUTO_DIR DIR *stream = opendir("/proc/self/fd");
    if (!stream) {
        return err_sys(err, "read /proc/self/fd");
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        int fd = atoi(entry->d_name);
        int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && !(flags & FD_CLOEXEC)) {
            close(fd);
        }
    }
    return 0;
}

// Nothing of the command's terminal, folder and descriptors stays but what the request has. The mask of signals is the container's
// init's affair, which has its own.
static int detach(struct monitor *monitor, int starter, struct err *err) {
    sigset_t blocked;
    if (setsid() < 0 || chdir("/") < 0) {
        return err_sys(err, "detach the monitor");
    }
    AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        return err_sys(err, "open /dev/null");
    }
    for (int i = 0; i < 3; i++) {
        if (starter != i && dup2(null, i) < 0) {
            return err_sys(err, "detach the monitor");
        }
    }
    if (close_strangers(err) < 0) {
        return -1;
    }
    (void)prctl(PR_SET_NAME, "coffer-monitor");
    sigemptyset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(ending_signals); i++) {
        sigaddset(&blocked, ending_signals[i]);
    }
    sigaddset(&blocked, SIGPIPE);
    sigaddset(&blocked, SIGXFSZ); // of a log
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    sigdelset(&blocked, SIGPIPE);
    sigdelset(&blocked, SIGXFSZ);
    monitor->signals_fd = signalfd(-1, &blocked, SFD_NONBLOCK | SFD_CLOEXEC);
    return monitor->signals_fd < 0 ? err_sys(err, "listen to signals") : 0;
}

static int write_down(struct monitor *monitor, struct err *err) {
    return record_write(monitor->request->dir, monitor->request->record, err);
}

static void write_down_or_warn(struct monitor *monitor) {
    struct err err;
    if (write_down(monitor, &err) < 0) {
        log_warn("%s", err.text);
    }
}

// --- the container's life ---

static void reap(struct monitor *monitor) {
    struct record *record = monitor->request->record;
    struct supervised_end end;
    struct err err;
    if (supervised_collect(monitor->container, &end, &err) < 0) {
        log_warn("%s", err.text);
    }
    supervised_destroy(monitor->container);
    monitor->container = NULL;
    record->pid = 0;
    record->exit_code = end.is_unknown ? RECORD_EXIT_UNKNOWN : end.status;
    record->exit_unknown = end.is_unknown;
    record->exit_signal = end.signal;
    record->out_of_memory = end.out_of_memory;
    record->memory_limit_bytes = end.memory_limit_bytes;
    record->system_call = end.system_call;
    memcpy(monitor->system_call_name, end.system_call_name, sizeof(monitor->system_call_name));
    record->system_call_name = monitor->system_call_name;
    record->finished_s = time(NULL);
    monitor->kill_at_ms = 0;
}

static int start(struct monitor *monitor, struct err *err) {
    const struct monitor_container *container = &monitor->request->container;
    struct record *record = monitor->request->record;
    int stdio[3];
    int result = monitor_open_streams(monitor, stdio, err);
    result = result < 0 ? -1 : container->start(container->context, stdio, &monitor->container, err);
    for (int i = 0; i < 3; i++) {
        fd_close(&stdio[i]);
    }
    if (result < 0) {
        monitor_close_streams(monitor);
        return -1;
    }
    monitor_take_console(monitor);
    monitor->started_ms = clock_now_ms();
    record->pid = supervised_pid(monitor->container);
    record->started = true;
    record->restarting = false;
    record->started_s = time(NULL);
    record->finished_s = 0;
    if (write_down(monitor, err) < 0) {
        // Nobody would know what it is.
        monitor_signal(monitor, SIGKILL);
        reap(monitor);
        monitor_close_streams(monitor);
        return -1;
    }
    monitor_health_begin(monitor);
    monitor_trim_later(monitor, true);
    return 0;
}

static int adopt(struct monitor *monitor, struct err *err) {
    const struct monitor_container *container = &monitor->request->container;
    monitor->started_ms = clock_now_ms();
    if (monitor->request->adopts == MONITOR_ADOPTS_ENDED) {
        return 0;
    }
    if (container->adopt(container->context, &monitor->container, err) < 0) {
        return -1;
    }
    monitor_reopen_streams(monitor);
    monitor_health_begin(monitor);
    monitor_trim_later(monitor, true);
    return 0;
}

// Its processes are dead first, so that its pipes have an end.
static void collect(struct monitor *monitor) {
    monitor_health_end(monitor);
    reap(monitor);
    monitor_drain(monitor);
    monitor_close_streams(monitor);
    log_file_settle(monitor->log);
}

void monitor_signal(struct monitor *monitor, int signal) {
    if (monitor->container && signal > 0) {
        sys_pidfd_send_signal(supervised_pidfd(monitor->container), signal);
    }
}

// What shall end must not be held where it stands.
static void thaw(struct monitor *monitor) {
    struct err not_paused;
    if (monitor->container) {
        (void)!container_resume(monitor->request->home->oci_root, monitor->request->dir->id, &not_paused);
    }
}

static void end_container(struct monitor *monitor, int64_t timeout_ms, int signal) {
    monitor_signal(monitor, signal ? signal : monitor->request->stop_signal);
    thaw(monitor);
    int64_t kill_at_ms = clock_now_ms() + (timeout_ms < 0 ? 0 : timeout_ms);
    // The soonest of several wishes counts.
    if (timeout_ms >= 0 && (monitor->kill_at_ms == 0 || kill_at_ms < monitor->kill_at_ms)) {
        monitor->kill_at_ms = kill_at_ms;
    }
}

void monitor_stop(struct monitor *monitor, int64_t timeout_ms, int signal) {
    monitor->request->record->stopped = true;
    write_down_or_warn(monitor);
    end_container(monitor, timeout_ms, signal);
}

void monitor_restart(struct monitor *monitor) {
    monitor->restart_wanted = true;
    end_container(monitor, monitor->request->stop_timeout_ms, 0);
}

int monitor_kill(struct monitor *monitor, int signal, struct err *err) {
    struct record *record = monitor->request->record;
    bool ends = signal == SIGKILL || signal == monitor->request->stop_signal;
    if (!monitor->container && !(record->restarting && ends)) {
        return err_set(err, ERR_STATE, record->restarting ? "it waits to be restarted, and has no process now" : "it is not running");
    }
    if (ends) {
        record->stopped = true;
        write_down_or_warn(monitor);
    }
    monitor_signal(monitor, signal);
    if (ends) {
        thaw(monitor);
    }
    return 0;
}

int monitor_rename(struct monitor *monitor, const char *name, struct err *err) {
    const char *kept = mem_format("%s", name); // for as long as the monitor lives
    const struct monitor_container *container = &monitor->request->container;
    struct err unnamed = {0};
    if (record_rename(monitor->request->home, monitor->request->dir, monitor->request->record, kept, err) < 0) {
        return -1;
    }
    if (monitor->container && container->change_networks(container->context, CONTROL_RENAME, kept, true, &unnamed) < 0) {
        monitor_note(monitor, "coffer: network: %s", unnamed.text);
    }
    return 0;
}

// --- the loop ---

// The host goes down, or somebody ends us by hand: the container goes first, and that it was so is not the user's wish.
static void take_signals(struct monitor *monitor) {
    struct signalfd_siginfo info;
    while (read(monitor->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        end_container(monitor, monitor->request->stop_timeout_ms, 0);
        monitor->ending = true;
    }
}

static void accept_clients(struct monitor *monitor) {
    int fd;
    while ((fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        monitor_add_client(monitor, fd);
    }
}

static int wait_ms(const struct monitor *monitor) {
    const int64_t due_ms[] = {monitor->kill_at_ms, monitor->restart_at_ms, monitor->trim_at_ms, health_due_ms(&monitor->health)};
    int64_t least_ms = log_file_is_pending(monitor->log) ? LOG_SETTLE_MS : INT32_MAX, now_ms = clock_now_ms();
    for (size_t i = 0; i < ARRAY_LEN(due_ms); i++) {
        if (due_ms[i] != 0 && due_ms[i] - now_ms < least_ms) {
            least_ms = due_ms[i] - now_ms;
        }
    }
    return least_ms == INT32_MAX ? -1 : least_ms < 0 ? 0 : (int)least_ms;
}

static void kill_when_due(struct monitor *monitor) {
    if (monitor->kill_at_ms != 0 && clock_now_ms() >= monitor->kill_at_ms) {
        monitor->kill_at_ms = 0;
        monitor_signal(monitor, SIGKILL);
        thaw(monitor);
    }
}

static void mend(struct monitor *monitor) {
    const struct monitor_container *container = &monitor->request->container;
    struct err err = {0};
    if (container->mend(container->context, &err) < 0) {
        monitor_note(monitor, "coffer: network: %s", err.text);
    }
}

// One turn. True once the container has ended; there may be none.
static bool turn(struct monitor *monitor) {
    enum { FIXED = 4 + MONITOR_WATCHED };
    int watched[MONITOR_WATCHED];
    const struct monitor_container *container = &monitor->request->container;
    struct pollfd polls[MONITOR_MAX_POLLS];
    polls[0] = (struct pollfd){.fd = monitor->container ? supervised_pidfd(monitor->container) : -1, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = monitor->signals_fd, .events = POLLIN};
    polls[2] = (struct pollfd){.fd = monitor->listen_fd, .events = POLLIN};
    polls[3] = monitor_poll_health(monitor);
    container->watched(container->context, watched);
    for (int i = 0; i < MONITOR_WATCHED; i++) {
        polls[4 + i] = (struct pollfd){.fd = watched[i], .events = POLLIN};
    }
    size_t streams = monitor_poll_streams(monitor, polls + FIXED);
    size_t clients = monitor_poll_clients(monitor, polls + FIXED + streams);
    int timeout_ms = wait_ms(monitor);
    monitor_trim_when_due(monitor); // last, as what it gives back comes again when it is touched
    int ready = poll(polls, FIXED + streams + clients, timeout_ms);
    if (ready < 0 && errno != EINTR) {
        log_warn("the monitor cannot wait: %s", strerror(errno));
        return true;
    }
    if (ready == 0) {
        log_file_settle(monitor->log);
    }
    monitor_step_clients(monitor, polls + FIXED + streams, clients);
    monitor_step_streams(monitor, polls + FIXED, streams);
    if (polls[1].revents) {
        take_signals(monitor);
    }
    if (polls[2].revents) {
        accept_clients(monitor);
    }
    monitor_step_health(monitor, &polls[3]);
    if ((polls[4].revents || polls[5].revents || polls[6].revents) && !polls[0].revents) {
        mend(monitor);
    }
    monitor_acknowledge_input(monitor);
    kill_when_due(monitor);
    if (ready > 0) {
        monitor_trim_later(monitor, false);
    }
    return polls[0].revents != 0;
}

static int open_log(struct monitor *monitor, struct err *err) {
    const struct record *record = monitor->request->record;
    const struct log_owner owner = {.id = record->id, .name = record->name, .image = record->image, .image_id = record->image_id};
    monitor->log = log_file_open(monitor->request->dir->fd, monitor->request->log, &owner, NULL, err);
    return monitor->log ? 0 : -1;
}

static void tell_starter(struct monitor *monitor, const struct control_message *message) {
    if (monitor->client_count > 0) {
        monitor_tell(monitor, &monitor->clients[0], message);
    }
}

static int begin(struct monitor *monitor, int starter, struct err *err) {
    if (detach(monitor, starter, err) < 0) {
        return -1;
    }
    if (open_log(monitor, err) < 0) {
        return -1;
    }
    monitor->listen_fd = control_listen(monitor->request->home, monitor->request->dir->id, err);
    if (monitor->listen_fd < 0) {
        return -1;
    }
    return monitor->request->adopts == MONITOR_STARTS ? start(monitor, err) : adopt(monitor, err);
}

// --- being started again ---

static bool shall_end(const struct monitor *monitor) {
    return monitor->ending || monitor->request->record->stopped;
}

// Tells whoever waits, and waits itself. False: somebody wants it to end now.
static bool wait_to_restart(struct monitor *monitor) {
    const struct monitor_container *container = &monitor->request->container;
    struct record *record = monitor->request->record;
    record->restarting = true;
    container->ended(container->context, false, true);
    monitor_tell_ended(monitor, record->exit_code, true);
    monitor->delay_ms = restart_policy_delay_ms(monitor->delay_ms, clock_now_ms() - monitor->started_ms);
    monitor->restart_at_ms = clock_now_ms() + monitor->delay_ms;
    while (!shall_end(monitor) && clock_now_ms() < monitor->restart_at_ms) {
        turn(monitor);
    }
    monitor->restart_at_ms = 0;
    return !shall_end(monitor);
}

void monitor_note(struct monitor *monitor, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    size_t length = size < 0 ? 0 : (size_t)size < sizeof(line) - 1 ? (size_t)size : sizeof(line) - 2;
    line[length++] = '\n';
    log_file_write(monitor->log, LOG_STDERR, line, length);
}

// Who reads the log learns why it does not come up again; that it does not is an end like others.
static void note_failure(struct monitor *monitor, const struct err *err) {
    struct record *record = monitor->request->record;
    record->exit_code = err->kind == ERR_NO_COMMAND ? 127 : err->kind == ERR_NOT_EXECUTABLE ? 126 : 125;
    record->exit_unknown = false;
    record->finished_s = time(NULL);
    monitor_note(monitor, "coffer: restart: %s", err->text);
    monitor->started_ms = clock_now_ms();
}

static bool wants_restart(struct monitor *monitor) {
    const struct record *record = monitor->request->record;
    bool wanted = monitor->restart_wanted;
    monitor->restart_wanted = false;
    return wanted || restart_policy_wants(&monitor->restart, record->exit_code, record->restarts);
}

static void live(struct monitor *monitor) {
    struct record *record = monitor->request->record;
    while (true) {
        while (monitor->container && !turn(monitor)) {
        }
        if (monitor->container) {
            collect(monitor);
        }
        if (shall_end(monitor) || !wants_restart(monitor) || !wait_to_restart(monitor)) {
            record->restarting = false;
            return;
        }
        struct err err = {0};
        record->restarts++;
        if (start(monitor, &err) < 0) {
            note_failure(monitor, &err);
        }
    }
}

static void monitor_finish(struct monitor *monitor) {
    monitor_close_clients(monitor);
    monitor_close_streams(monitor);
    log_file_destroy(monitor->log);
    buf_finish(&monitor->input);
    fd_close(&monitor->listen_fd);
    fd_close(&monitor->signals_fd);
}

// Who asks from here on finds nobody, and a lock that is free. All is written down; that is told then, to those that read it however
// slowly.
static void let_go(struct monitor *monitor) {
    fd_close(&monitor->listen_fd);
    record_dir_finish(monitor->request->dir);
}

void monitor_run(const struct monitor_request *request, int starter) {
    struct monitor monitor = {.request = request, .restart = request->restart, .ours = {-1, -1, -1}, .listen_fd = -1, .signals_fd = -1, .probe = HEALTH_PROBE_NONE};
    const struct monitor_container *container = &request->container;
    struct err err = {0};
    monitor_add_client(&monitor, starter);
    monitor.clients[0].attached = request->starter_attached;
    if (begin(&monitor, starter, &err) < 0) {
        container->ended(container->context, true, false);
        let_go(&monitor);
        tell_starter(&monitor, &(struct control_message){.kind = CONTROL_FAILED, .size = sizeof(err), .bytes = &err});
        monitor_finish(&monitor);
        return;
    }
    tell_starter(&monitor, &(struct control_message){.kind = CONTROL_STARTED, .value = request->record->pid});
    live(&monitor);
    accept_clients(&monitor);
    monitor_hear_clients(&monitor);
    container->ended(container->context, true, true);
    let_go(&monitor);
    monitor_tell_ended(&monitor, request->record->exit_code, false);
    monitor_flush_clients(&monitor);
    monitor_finish(&monitor);
}
