#include "runtime/kernel/hook.h"

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static _Noreturn void become(const struct hook *hook, int input, int failure) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input, STDIN_FILENO) >= 0) {
        char *path = mem_copy_string(hook->path);
        char *const own_args[] = {path, NULL};
        char *const own_env[] = {NULL};
        char **args = NULL, **env = NULL; // execve(2) leaves them alone; its type says otherwise
        memcpy(&args, &hook->args, sizeof(args));
        memcpy(&env, &hook->env, sizeof(env));
        sys_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
        struct err err;
        if (hook->prepare && hook->prepare(hook->context, &err) < 0) {
            (void)!write(failure, &err, sizeof(err)); // no more than a pipe takes at once
            _exit(127);
        }
        execve(path, args && args[0] ? args : own_args, env ? env : own_env);
    }
    int saved = errno;
    ssize_t written = write(failure, &saved, sizeof(saved));
    (void)written;
    _exit(127);
}

// Sends what the hook takes now; closes the socket when all is sent or the hook has closed its end, which is its right.
static void feed(int *input, const char **state) {
    if (!*state) {
        fd_close(input);
        return;
    }
    ssize_t sent = send(*input, *state, strlen(*state), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    *state += sent > 0 ? sent : 0;
    if (sent < 0 || **state == '\0') {
        fd_close(input);
    }
}

// Waits for the end within the bound, feeding the hook meanwhile: a state with large annotations does not fit into a socket at once.
// False: the time is over.
static bool wait_in_time(int pidfd, int *input, const char *state, uint32_t timeout_s) {
    int64_t end_ms = clock_now_ms() + (int64_t)timeout_s * 1000;
    for (;;) {
        int64_t left_ms = timeout_s ? end_ms - clock_now_ms() : -1;
        if (timeout_s && left_ms <= 0) {
            return false;
        }
        struct pollfd waits[] = {{.fd = pidfd, .events = POLLIN}, {.fd = *input, .events = POLLOUT}};
        int ready = poll(waits, ARRAY_LEN(waits), left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        if (ready > 0 && waits[0].revents) {
            return true;
        }
        if (ready > 0 && waits[1].revents) {
            feed(input, &state);
        }
    }
}

static int judge(const struct hook *hook, const siginfo_t *end, struct err *err) {
    if (end->si_code != CLD_EXITED) {
        return err_set(err, ERR_SYSTEM, "hook %s was killed by signal %d", hook->path, end->si_status);
    }
    if (end->si_status != 0) {
        return err_set(err, ERR_SYSTEM, "hook %s ended with exit code %d", hook->path, end->si_status);
    }
    return 0;
}

int hook_run(const struct hook *hook, const char *state, struct err *err) {
    // A socketpair in place of a pipe: sending to a hook that has closed its input must not raise SIGPIPE in us.
    int input[2], failure[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) < 0) {
        return err_sys(err, "hook %s: make a socket pair", hook->path);
    }
    AUTO_FD int input_ours = input[0];
    AUTO_FD int input_theirs = input[1];
    if (pipe2(failure, O_CLOEXEC) < 0) {
        return err_sys(err, "hook %s: make a pipe", hook->path);
    }
    AUTO_FD int failure_ours = failure[0];
    AUTO_FD int failure_theirs = failure[1];
    AUTO_FD int pidfd = -1;
    pid_t child = process_clone(0, -1, &pidfd);
    if (child < 0) {
        return err_sys(err, "start hook %s", hook->path);
    }
    if (child == 0) {
        become(hook, input_theirs, failure_theirs);
    }
    fd_close(&input_theirs);
    fd_close(&failure_theirs);
    // One of the two: why it could not be executed, or be prepared.
    union {
        int errnum;
        struct err err;
    } reason = {0};
    ssize_t said = fd_read_full(failure_ours, &reason, sizeof(reason));
    bool started = said == 0;
    if (!state || !*state) {
        fd_close(&input_ours);
    }
    bool in_time = !started || wait_in_time(pidfd, &input_ours, state, hook->timeout_s);
    if (!in_time) {
        sys_pidfd_send_signal(pidfd, SIGKILL);
    }
    siginfo_t end;
    process_reap(pidfd, &end);
    if (said == (ssize_t)sizeof(reason.err)) {
        *err = reason.err;
        return err_in(err, "start hook %s", hook->path);
    }
    if (!started) {
        return err_num(err, reason.errnum, "start hook %s", hook->path);
    }
    if (!in_time) {
        return err_set(err, ERR_SYSTEM, "hook %s did not end within %u seconds and was killed", hook->path, hook->timeout_s);
    }
    return judge(hook, &end, err);
}
