// User namespaces as descriptors. As root: others may be allowed none.
#include "runtime/kernel/userns.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void create_for_ever(void) {
    struct id_range ranges[] = {{.inside = 0, .outside = 0, .count = 1}};
    const struct idmap map = {ranges, 1};
    struct err err;
    for (;;) {
        AUTO_FD int userns = userns_create(&map, &map, &err);
        if (userns < 0) {
            _exit(1);
        }
    }
}

// Everything below us, orphans too, which come to us; each has a second to end.
static bool all_end(void) {
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 1000; i++) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return true;
        }
        if (pid == 0) {
            nanosleep(&moment, NULL);
        }
    }
    return false;
}

CASE(who_is_killed_while_he_makes_one_leaves_no_process_behind) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (int i = 0; i < 300; i++) {
        const struct timespec moment = {.tv_nsec = 200000 + (long)(random() % 1000000)};
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            create_for_ever();
        }
        CHECK(pid > 0);
        nanosleep(&moment, NULL);
        kill(pid, SIGKILL);
        if (!all_end()) {
            CHECK(!"a process stays");
            kill(-pid, SIGKILL);
            return;
        }
    }
}

int main(void) {
    RUN(who_is_killed_while_he_makes_one_leaves_no_process_behind);
    return check_done();
}
