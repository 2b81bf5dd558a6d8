#include "runtime/engine/aside.h"

#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// The host's, from before it enters a container.
static int redirect(bool keeps_output) {
    AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0;
    return done && (keeps_output || dup2(null, STDOUT_FILENO) >= 0) ? 0 : -1;
}

void aside_stay_bound(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int aside_enter_own(const struct home *home, struct err *err) {
    AUTO_FD int own = home->rootless ? home_user_namespace(home, err) : -1;
    if (home->rootless && (own < 0 || home_enter(own, err) < 0)) {
        return -1;
    }
    aside_stay_bound();
    return 0;
}

static void run(const struct aside_request *request, struct aside_report *report, pid_t parent) {
    int close_fd = request->close_fd;
    aside_stay_bound();
    signal(SIGPIPE, SIG_IGN);
    fd_close(&close_fd);
    _exit(getppid() != parent || redirect(request->keeps_output) < 0 || request->work(request->context, report) < 0 ? 1 : 0);
}

int aside_start(struct aside *aside, const struct aside_request *request, struct err *err) {
    void *memory = mmap(NULL, sizeof(*aside->report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return err_sys(err, "get memory");
    }
    aside->report = memory;
    pid_t parent = getpid();
    aside->pid = process_clone(0, -1, NULL);
    if (aside->pid == 0) {
        run(request, aside->report, parent);
    }
    return aside->pid < 0 ? err_sys(err, "start a process") : 0;
}

int aside_wait(struct aside *aside) {
    int status = 1;
    while (aside->pid > 0 && waitpid(aside->pid, &status, 0) < 0 && errno == EINTR) {
    }
    aside->pid = 0;
    if (status != 0 && aside->report->err.kind == ERR_NONE) {
        (void)!err_set(&aside->report->err, ERR_SYSTEM, "a process of ours was killed");
    }
    return status == 0 ? 0 : -1;
}

struct opened {
    int fd;
    struct err err;
};

int aside_open(int (*open)(void *context, struct err *err), void *context, struct err *err) {
    struct opened opened = {.fd = -1};
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int from = pipes[0];
    AUTO_FD int to = pipes[1];
    AUTO_FD int pidfd = -1;
    pid_t pid = process_clone(CLONE_FILES, -1, &pidfd);
    if (pid == 0) {
        aside_stay_bound();
        opened.fd = open(context, &opened.err);
        _exit(fd_write_all(to, &opened, sizeof(opened)) < 0 ? 1 : 0);
    }
    if (pid < 0) {
        return err_sys(err, "start a process");
    }
    siginfo_t end;
    process_reap(pidfd, &end);
    fd_close(&to); // or who was killed before his answer would be read for without an end
    if (fd_read_full(from, &opened, sizeof(opened)) != sizeof(opened)) {
        return err_set(err, ERR_SYSTEM, "a process of ours was killed");
    }
    if (opened.fd < 0) {
        *err = opened.err;
    }
    return opened.fd;
}

void aside_finish(struct aside *aside) {
    if (aside->pid > 0) {
        kill(aside->pid, SIGKILL);
        (void)!aside_wait(aside);
    }
    if (aside->report) {
        munmap(aside->report, sizeof(*aside->report));
        aside->report = NULL;
    }
}
