#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

// The child leads its own session, so that the terminal's signals reach it and its group, not process 1 twice.
static _Noreturn void run_child(struct init *init, const char *path) {
    struct err err = {0};
    if (init->plan->process.terminal) {
        setsid();
        ioctl(STDIN_FILENO, TIOCSCTTY, 1);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int result = init_exec(init, path, &err);
    // The channel is still open here: what went wrong goes home the usual way.
    init_send_error(init, &err);
    _exit(result < 0 ? 126 : 0);
}

static int exit_code(const siginfo_t *end) {
    return end->si_code == CLD_EXITED ? end->si_status : 128 + end->si_status;
}

// Reaps all that has ended. True when the child is among it.
static bool reap_ended(pid_t child, int *ret_code) {
    for (;;) {
        siginfo_t end = {0};
        if (waitid(P_ALL, 0, &end, WEXITED | WNOHANG) < 0 || end.si_pid == 0) {
            return false;
        }
        if (end.si_pid == child) {
            *ret_code = exit_code(&end);
            return true;
        }
    }
}

int init_reap(struct init *init, const char *path, struct err *err) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    pid_t child = fork(); // not clone3(2): the filter, loaded by now, has it missing
    if (child < 0) {
        return err_sys(err, "start the command below init");
    }
    if (child == 0) {
        run_child(init, path);
    }
    // Process 1 keeps nothing open: a pipe's other end must see its close when the command closes it.
    fd_close(&init->channel);
    sys_close_range(0, UINT_MAX, 0);
    for (;;) {
        siginfo_t signal_info;
        int number = sigwaitinfo(&all, &signal_info);
        if (number == SIGCHLD) {
            int code;
            if (reap_ended(child, &code)) {
                _exit(code);
            }
        } else if (number > 0) {
            kill(child, number);
        }
    }
}
