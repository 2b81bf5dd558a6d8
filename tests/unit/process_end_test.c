// How processes end that are no children of ours.
#include "runtime/base/clock.h"
#include "runtime/kernel/process_end.h"
#include "runtime/kernel/sys.h"
#include "tests/unit/check.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// A child's child, which ends when *ret_go is closed: by exit code, or below 0 by a signal. The child reaps it,
// when *ret_reap is closed.
static pid_t make_stranger(int how, int *ret_go, int *ret_reap, pid_t *ret_child) {
    int go[2], told[2], reap[2];
    char none;
    pid_t stranger = -1;
    CHECK(pipe(go) == 0 && pipe(told) == 0 && pipe(reap) == 0);
    *ret_child = fork();
    if (*ret_child == 0) {
        close(go[1]);
        close(reap[1]);
        stranger = fork();
        if (stranger == 0) {
            (void)!read(go[0], &none, 1);
            if (how < 0) {
                kill(getpid(), -how);
                pause();
            }
            _exit(how);
        }
        (void)!write(told[1], &stranger, sizeof(stranger));
        (void)!read(reap[0], &none, 1);
        waitpid(stranger, NULL, 0);
        _exit(0);
    }
    CHECK(read(told[0], &stranger, sizeof(stranger)) == (ssize_t)sizeof(stranger));
    close(go[0]);
    close(told[0]);
    close(told[1]);
    close(reap[0]);
    *ret_go = go[1];
    *ret_reap = reap[1];
    return stranger;
}

// -1: nobody tells. Its parent reaps it at once, or only afterwards.
static int status_of(int how, bool reaped) {
    struct process_end end;
    pid_t child;
    int go, reap, status = -1;
    pid_t stranger = make_stranger(how, &go, &reap, &child);
    int pidfd = sys_pidfd_open(stranger, 0);
    CHECK(pidfd >= 0);
    process_end_watch(&end, stranger, pidfd);
    close(go);
    if (reaped) {
        close(reap);
    }
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    CHECK(poll(&ended, 1, 10000) == 1);
    bool told = process_end_status(&end, pidfd, &status);
    process_end_finish(&end);
    close(pidfd);
    if (!reaped) {
        close(reap);
    }
    waitpid(child, NULL, 0);
    return told ? status : -1;
}

CASE(a_strangers_exit_code_and_signal_are_told_or_said_to_be_unknown) {
    int status = status_of(7, true);
    if (status < 0) {
        SKIP("this kernel tells strangers' ends to nobody");
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    status = status_of(0, true);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    status = status_of(-SIGKILL, true);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

CASE(what_is_not_reaped_yet_is_told_at_once) {
    int64_t begin_ms = clock_now_ms();
    int status = status_of(7, false);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    status = status_of(-SIGKILL, false);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(clock_now_ms() - begin_ms < 1500);
}

int main(void) {
    RUN(what_is_not_reaped_yet_is_told_at_once);
    RUN(a_strangers_exit_code_and_signal_are_told_or_said_to_be_unknown);
    return check_done();
}
