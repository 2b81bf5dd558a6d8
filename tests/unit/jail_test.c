#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/kernel/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define SKIP_SANITIZED SKIP("the sanitiser makes calls of its own behind the filter")
#else
#define SKIP_SANITIZED
#endif

// Runs it in a child: its exit code, or minus the signal that killed it.
static int in_child(int (*body)(void)) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(body());
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const uint32_t families[] = {AF_INET, AF_INET6}, controls[] = {FIONREAD};
static const unsigned calls[] = {__NR_write, __NR_close, __NR_exit_group, __NR_munmap};
static const struct jail_check checks[] = {
    {.number = __NR_socket, .argument = 0, .values = families, .values_count = 2, .otherwise = SECCOMP_RET_ERRNO | EAFNOSUPPORT},
    {.number = __NR_ioctl, .argument = 1, .values = controls, .values_count = 1, .otherwise = SECCOMP_RET_ERRNO | ENOTTY},
    {.number = __NR_unshare, .argument = 0, .without = CLONE_NEWUSER | CLONE_NEWNS, .otherwise = SECCOMP_RET_ERRNO | ENOSYS},
    {.number = __NR_mmap, .argument = 2, .without = PROT_EXEC, .otherwise = SECCOMP_RET_KILL_PROCESS},
};

static int enter(void) {
    const struct jail_filter filter = {.calls = calls,
                                       .calls_count = ARRAY_LEN(calls),
                                       .checks = checks,
                                       .checks_count = ARRAY_LEN(checks),
                                       .otherwise = SECCOMP_RET_ERRNO | EPERM};
    struct err err = {0};
    return jail_filter_calls(&filter, &err);
}

// Raw calls: the C library has its own ideas of some.
static bool fails(long result, int with) {
    return result == -1 && errno == with;
}

static int arguments(void) {
    char byte = 0;
    if (enter() < 0) {
        return 1;
    }
    return syscall(__NR_socket, AF_INET, SOCK_STREAM, 0) < 0 || syscall(__NR_socket, AF_INET6, SOCK_STREAM, 0) < 0 ? 2
           : !fails(syscall(__NR_socket, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT)                                   ? 3
           : !fails(syscall(__NR_ioctl, 0, TIOCSTI, &byte), ENOTTY)                                                ? 4
           : !fails(syscall(__NR_unshare, CLONE_FILES | CLONE_NEWUSER), ENOSYS)                                    ? 5
           : syscall(__NR_unshare, CLONE_FILES) != 0                                                               ? 6
           : syscall(__NR_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1                   ? 7
           : !fails(syscall(__NR_getuid), EPERM)                                                                   ? 8
                                                                                                                   : 0;
}

static int executable_memory(void) {
    return enter() < 0 ? 1 : (int)syscall(__NR_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

CASE(arguments_decide_where_they_are_to) {
    SKIP_SANITIZED;
    CHECK(in_child(arguments) == 0);
}

CASE(what_kills_kills) {
    SKIP_SANITIZED;
    CHECK(in_child(executable_memory) == -SIGSYS);
}

static int descriptors(void) {
    struct err err = {0};
    for (int i = 3; i < 20; i++) {
        dup2(STDIN_FILENO, i);
    }
    const int kept[] = {9, 1, 5};
    if (jail_keep_descriptors(kept, 3, &err) < 0) {
        return 1;
    }
    for (int i = 3; i < 64; i++) {
        bool open = fcntl(i, F_GETFD) >= 0;
        if (open != (i == 5 || i == 9)) {
            return i;
        }
    }
    char byte;
    return read(STDIN_FILENO, &byte, 1) == 0 && write(STDERR_FILENO, "", 0) == 0 ? 0 : 2;
}

CASE(only_what_is_kept_stays_open) {
    CHECK(in_child(descriptors) == 0);
}

int main(void) {
    RUN(arguments_decide_where_they_are_to);
    RUN(what_kills_kills);
    RUN(only_what_is_kept_stays_open);
    return check_done();
}
