// How processes end that are no children of ours.
#include "runtime/kernel/process_end.h"
#include "runtime/kernel/sys.h"
#include "tests/unit/check.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// A child's child, which ends when *ret_go is closed: by exit code, or below 0 by a signal. The child reaps it.
static pid_t make_stranger(int how, int *ret_go, pid_t *ret_child) {
    int go[2], told[2];
    pid_t stranger = -1;
    CHECK(pipe(go) == 0 && pipe(told) == 0);
    *ret_child = fork();
    if (*ret_child == 0) {
        close(go[1]);
        stranger = fork();
        if (stranger == 0) {
            char none;
            (void)!read(go[0], &none, 1);
            if (how < 0) {
                kill(getpid(), -how);
                pause();
            }
            _exit(how);
        }
        (void)!write(told[1], &stranger, sizeof(stranger));
        waitpid(stranger, NULL, 0);
        _exit(0);
    }
    CHECK(read(told[0], &stranger, sizeof(stranger)) == (ssize_t)sizeof(stranger));
    close(go[0]);
    close(told[0]);
    close(told[1]);
    *ret_go = go[1];
    return stranger;
}

// -1: nobody tells.
static int status_of(int how) {
    struct process_end end;
    pid_t child;
    int go, status = -1;
    pid_t stranger = make_stranger(how, &go, &child);
    int pidfd = sys_pidfd_open(stranger, 0);
    CHECK(pidfd >= 0);
    process_end_watch(&end, stranger, pidfd);
    close(go);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    CHECK(poll(&ended, 1, 10000) == 1);
    bool told = process_end_status(&end, pidfd, &status);
    process_end_finish(&end);
    close(pidfd);
    waitpid(child, NULL, 0);
    return told ? status : -1;
}

CASE(a_strangers_exit_code_and_signal_are_told_or_said_to_be_unknown) {
    int status = status_of(7);
    if (status < 0) {
        SKIP("this kernel tells strangers' ends to nobody");
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    status = status_of(0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = status_of(-SIGKILL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void) {
    RUN(a_strangers_exit_code_and_signal_are_told_or_said_to_be_unknown);
    return check_done();
}
