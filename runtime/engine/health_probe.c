#include "runtime/engine/health_probe.h"

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/timestamp.h"
#include "runtime/container/container.h"
#include "runtime/container/exec.h"
#include "runtime/container/supervise.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/home.h"
#include "runtime/engine/monitor.h"
#include "runtime/kernel/listening.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/process_tree.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NO_EXIT_CODE = -1, DEATH_MS = 1000 };

// What the clone has.
struct work {
    const struct health_probe_request *request;
    struct home home;   // its folders alone
    int monitor;        // socket
    int container;      // pidfd
    struct exec_child child;
    int output;         // the command's
    struct buf text;    // of it, up to the bound and one byte more
    struct health_probe_end end;
};

// --- what it is left of the monitor ---

// Its descriptors are in the way of what the kernel tells by their close: above all the lock.
static int keep_descriptors(struct work *work, struct err *err) {
    int *const kept[] = {&work->monitor, &work->container, &work->home.live_fd};
    enum { FIRST = STDERR_FILENO + 1, ASIDE = 64 };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        *kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, ASIDE);
        if (*kept[i] < 0) {
            return err_sys(err, "keep a descriptor");
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (dup3(*kept[i], FIRST + (int)i, O_CLOEXEC) < 0) {
            return err_sys(err, "keep a descriptor");
        }
        *kept[i] = FIRST + (int)i;
    }
    return sys_close_range(FIRST + ARRAY_LEN(kept), UINT_MAX, 0) < 0 ? err_sys(err, "close descriptors") : 0;
}

// --- the command ---

static size_t list_processes(void *context, pid_t **ret_pids) {
    const struct work *work = context;
    size_t count = 0;
    struct err unknown;
    if (container_processes(work->home.oci_root, work->request->id, ret_pids, &count, &unknown) == 0 && count > 0) {
        return count;
    }
    return process_list_all(NULL, ret_pids);
}

static void kill_command(struct work *work) {
    const struct process_source source = {.list = list_processes, .context = work};
    struct pollfd poll_fd = {.fd = work->child.pidfd, .events = POLLIN};
    process_tree_kill(work->child.pid, &source);
    sys_pidfd_send_signal(work->child.pidfd, SIGKILL);
    (void)poll(&poll_fd, 1, DEATH_MS);
}

static bool is_paused(const struct work *work) {
    unsigned status;
    struct err gone;
    return container_status(work->home.oci_root, work->request->id, &status, NULL, &gone) == 0 && status == OCI_STATUS_PAUSED;
}

static void read_output(struct work *work) {
    char room[4096];
    ssize_t got = read(work->output, room, sizeof(room));
    size_t left = HEALTH_LOG_BYTES + 1 - work->text.size;
    if (got > 0) {
        buf_add(&work->text, room, (size_t)got < left ? (size_t)got : left);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        fd_close(&work->output);
    }
}

static void set_text(struct work *work, const char *text) {
    buf_clear(&work->text);
    buf_add_string(&work->text, text);
}

static void time_out(struct work *work) {
    int64_t timeout_ms = work->request->health->check->timeout_ms;
    AUTO_BUF struct buf text = {0};
    bool paused = is_paused(work);
    kill_command(work);
    // In docker's words.
    buf_add_format(&text, "Health check exceeded timeout (%lld.%03llds)", (long long)(timeout_ms / 1000), (long long)(timeout_ms % 1000));
    if (work->text.size > 0) {
        buf_add_string(&text, ": ");
        buf_add(&text, work->text.data, work->text.size);
    }
    set_text(work, buf_string(&text));
    work->end.result = paused ? HEALTH_NO_RESULT : HEALTH_FAILURE;
}

// Of what the command has said, as much as is kept: what it has left behind may go on for ever.
static void take_end(struct work *work) {
    siginfo_t end = {0};
    while (work->output >= 0 && work->text.size <= HEALTH_LOG_BYTES && poll(&(struct pollfd){.fd = work->output, .events = POLLIN}, 1, 0) > 0) {
        read_output(work);
    }
    process_reap(work->child.pidfd, &end);
    work->end.exit_code = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
    work->end.result = work->end.exit_code == 0 ? HEALTH_SUCCESS : HEALTH_FAILURE;
}

// Until the command has ended, or has to.
static void attend(struct work *work, int64_t until_ms) {
    for (;;) {
        int64_t left_ms = until_ms - clock_now_ms();
        struct pollfd polls[] = {{.fd = work->monitor, .events = POLLIN},
                                 {.fd = work->container, .events = POLLIN},
                                 {.fd = work->child.pidfd, .events = POLLIN},
                                 {.fd = work->output, .events = POLLIN}};
        int ready = left_ms <= 0 ? 0 : poll(polls, ARRAY_LEN(polls), left_ms < INT_MAX ? (int)left_ms : INT_MAX);
        if (ready == 0) {
            time_out(work);
            return;
        }
        if (ready < 0) {
            continue;
        }
        if (polls[0].revents || polls[1].revents) { // who wants to know it is gone, or whom it was about
            kill_command(work);
            return;
        }
        if (polls[3].revents) {
            read_output(work);
        }
        if (polls[2].revents) {
            take_end(work);
            return;
        }
    }
}

static int launch(struct work *work, struct err *err) {
    const struct monitor_container *container = work->request->container;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for the check's output");
    }
    work->output = pipes[0];
    int stdio[3] = {open("/dev/null", O_RDONLY | O_CLOEXEC), pipes[1], fcntl(pipes[1], F_DUPFD_CLOEXEC, 0)};
    int result = stdio[0] < 0 || stdio[2] < 0 || fcntl(pipes[0], F_SETFL, O_NONBLOCK) < 0
                     ? err_sys(err, "make a pipe for the check's output")
                     : container->exec(container->context, work->request->health->check->command, stdio, &work->child, err);
    for (size_t i = 0; i < ARRAY_LEN(stdio); i++) {
        fd_close(&stdio[i]);
    }
    return result;
}

static void run_command(struct work *work, int64_t until_ms) {
    struct err err = {0};
    if (launch(work, &err) < 0) {
        set_text(work, err.text);
        work->end.result = err.kind == ERR_STATE ? HEALTH_NO_RESULT : HEALTH_FAILURE; // it is paused, or about to end
        return;
    }
    // From here on we are needed to clean up behind it.
    prctl(PR_SET_PDEATHSIG, 0);
    attend(work, until_ms);
}

static void look_at_port(struct work *work) {
    uint16_t port = work->request->health->check->port;
    bool is_open = listening_on_port(supervised_pid(work->request->supervised), port);
    work->end.exit_code = is_open ? 0 : 1;
    work->end.result = is_paused(work) ? HEALTH_NO_RESULT : is_open ? HEALTH_SUCCESS : HEALTH_FAILURE;
    buf_add_format(&work->text, "%s on TCP port %u", is_open ? "It listens" : "Nothing listens", port);
}

// --- what came of it ---

static int write_down(const struct work *work, int64_t start_ns, struct err *err) {
    const struct health_entry entry = {
        .start_ns = start_ns,
        .end_ns = timestamp_now(),
        .exit_code = work->end.exit_code,
        .output = buf_string(&work->text),
        .output_size = work->text.size,
    };
    struct health health = *work->request->health;
    (void)health_checked(&health, work->end.result, clock_now_ms());
    return health_file_log(&work->home, work->request->id, &entry, err) < 0
               ? -1
               : health_file_set(&work->home, work->request->id, health.status, health.streak, err);
}

static _Noreturn void work_and_end(struct work *work) {
    const struct health_check *check = work->request->health->check;
    int64_t start_ns = timestamp_now(), until_ms = clock_now_ms() + check->timeout_ms;
    struct err err = {0};
    (void)prctl(PR_SET_NAME, "coffer-check");
    if (keep_descriptors(work, &err) == 0) {
        if (check->kind == HEALTH_CHECK_PORT) {
            look_at_port(work);
        } else {
            run_command(work, until_ms);
        }
        if (work->end.result != HEALTH_NO_RESULT && write_down(work, start_ns, &err) < 0) {
            log_warn("%s", err.text);
        }
        (void)!send(work->monitor, &work->end, sizeof(work->end), MSG_NOSIGNAL);
    }
    _exit(0);
}

// --- the monitor's side ---

int health_probe_start(const struct health_probe_request *request, struct health_probe *ret, struct err *err) {
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a socket for a health check");
    }
    struct health_probe probe = {.socket = pair[0]};
    pid_t pid = process_clone(0, -1, &probe.pidfd);
    if (pid == 0) {
        struct work work = {
            .request = request,
            .home = {.oci_root = request->home->oci_root, .live_fd = request->home->live_fd, .containers_fd = -1, .store_fd = -1, .names_fd = -1},
            .monitor = pair[1],
            .container = supervised_pidfd(request->supervised),
            .child = {.pidfd = -1},
            .output = -1,
            .end = {HEALTH_NO_RESULT, NO_EXIT_CODE},
        };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            work_and_end(&work);
        }
        _exit(0);
    }
    close(pair[1]);
    if (pid < 0) {
        err_sys(err, "start a health check");
        close(pair[0]);
        return -1;
    }
    *ret = probe;
    return 0;
}

static void finish(struct health_probe *probe) {
    siginfo_t end;
    process_reap(probe->pidfd, &end);
    fd_close(&probe->pidfd);
    fd_close(&probe->socket);
}

bool health_probe_take(struct health_probe *probe, struct health_probe_end *ret) {
    bool complete = recv(probe->socket, ret, sizeof(*ret), MSG_DONTWAIT) == (ssize_t)sizeof(*ret);
    finish(probe);
    return complete;
}

void health_probe_end(struct health_probe *probe) {
    if (probe->pidfd >= 0) {
        sys_pidfd_send_signal(probe->pidfd, SIGKILL);
        finish(probe);
    }
}
