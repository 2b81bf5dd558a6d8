#include "runtime/kernel/process.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// ret_pidfd may be NULL.
static struct clone_args clone_args_of(uint64_t namespaces, int cgroup_fd, int *ret_pidfd) {
    struct clone_args args = {
        .flags = namespaces | (ret_pidfd ? CLONE_PIDFD : 0),
        .pidfd = (uintptr_t)ret_pidfd,
        // clone3(2) takes none with CLONE_PARENT: the child has its sibling's then.
        .exit_signal = namespaces & CLONE_PARENT ? 0 : SIGCHLD,
    };
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_fd;
    }
    return args;
}

pid_t process_clone(uint64_t namespaces, int cgroup_fd, int *ret_pidfd) {
    struct clone_args args = clone_args_of(namespaces, cgroup_fd, ret_pidfd);
    return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

#ifdef __x86_64__

// clone3(2) whose child calls body(argument) on the stack that args names. No C function can do this: its frame would be on the old one.
long process_clone_call(const struct clone_args *args, size_t size, void (*body)(void *), void *argument);
__asm__(".text\n"
        ".type process_clone_call, @function\n"
        "process_clone_call:\n"
        "    endbr64\n"
        "    mov %rcx, %r8\n" // the call overwrites rcx
        "    mov $435, %eax\n"
        "    syscall\n"
        "    test %rax, %rax\n"
        "    jz 1f\n"
        "    ret\n"
        "1:  xor %ebp, %ebp\n" // the outermost frame
        "    mov %r8, %rdi\n"
        "    call *%rdx\n"
        "    ud2\n"
        ".size process_clone_call, . - process_clone_call\n");
static_assert(SYS_clone3 == 435, "the number is in the text above");

// As large as what a body needs to say why it failed; touched only where it is used.
alignas(16) static char stack[64 << 10];

void process_trim(void) {
    mem_wipe(stack, sizeof(stack));
}

pid_t process_clone_to_exec(uint64_t namespaces, int cgroup_fd, void (*body)(void *), void *argument, int *ret_pidfd) {
    struct clone_args args = clone_args_of(namespaces | CLONE_VM, cgroup_fd, ret_pidfd);
    args.stack = (uintptr_t)stack;
    args.stack_size = sizeof(stack);
    long pid = process_clone_call(&args, sizeof(args), body, argument);
    if (pid < 0) {
        errno = (int)-pid;
        return -1;
    }
    return (pid_t)pid;
}

#else

void process_trim(void) {
}

pid_t process_clone_to_exec(uint64_t namespaces, int cgroup_fd, void (*body)(void *), void *argument, int *ret_pidfd) {
    pid_t pid = process_clone(namespaces, cgroup_fd, ret_pidfd);
    if (pid == 0) {
        body(argument);
        _exit(127);
    }
    return pid;
}

#endif

static _Noreturn void become(char *const argv[], int output, int failure) {
    int null = openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        char *const environment[] = {NULL};
        execve(argv[0], argv, environment);
    }
    int saved = errno;
    ssize_t written = write(failure, &saved, sizeof(saved));
    (void)written;
    _exit(127);
}

void process_reap(int pidfd, siginfo_t *ret_end) {
    *ret_end = (siginfo_t){0};
    while (waitid(P_PIDFD, (id_t)pidfd, ret_end, WEXITED) < 0 && errno == EINTR) {
    }
}

pid_t process_spawn(char *const argv[], int *ret_output, struct err *err) {
    int pipes[2], failure[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for %s", argv[0]);
    }
    AUTO_FD int output = pipes[0];
    AUTO_FD int output_end = pipes[1];
    if (pipe2(failure, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for %s", argv[0]);
    }
    AUTO_FD int failure_read = failure[0];
    AUTO_FD int failure_end = failure[1];
    pid_t child = process_clone(0, -1, NULL);
    if (child < 0) {
        return err_sys(err, "start %s", argv[0]);
    }
    if (child == 0) {
        become(argv, output_end, failure_end);
    }
    fd_close(&output_end);
    fd_close(&failure_end);
    int errnum;
    if (fd_read_full(failure_read, &errnum, sizeof(errnum)) == (ssize_t)sizeof(errnum)) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
        return err_num(err, errnum, "start %s", argv[0]);
    }
    *ret_output = fd_take(&output);
    return child;
}

uint64_t process_ignored_signals(void) {
    char text[4096];
    AUTO_FD int fd = openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1); // the kernel gives it whole
    if (size <= 0) {
        return UINT64_MAX;
    }
    text[size] = '\0';
    static const char name[] = "\nSigIgn:";
    const char *line = strstr(text, name);
    return line ? strtoull(line + sizeof(name) - 1, NULL, 16) : UINT64_MAX;
}

int process_name(pid_t pid, char ret_name[PROCESS_NAME_SIZE]) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : fd_read_full(fd, ret_name, PROCESS_NAME_SIZE);
    if (size <= 0) {
        return -1;
    }
    ret_name[size - 1] = '\0'; // the newline
    return 0;
}

enum { FLAG_EXITING = 4 }; // PF_EXITING, the kernel's own since ever

enum { STAT_SIZE = 1024 };

// What stands behind the command's name, which may hold anything, brackets too: the fields begin behind the last one. "" where there is
// none; NULL with errno.
static const char *read_stat(pid_t pid, char room[STAT_SIZE]) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        errno = errno == ENOENT ? ESRCH : errno;
        return NULL;
    }
    ssize_t size = read(fd, room, STAT_SIZE - 1); // the kernel gives it whole
    if (size < 0) {
        return NULL;
    }
    room[size] = '\0';
    const char *fields = strrchr(room, ')');
    return fields ? fields + 1 : "";
}

// 0 with errno for a process that is gone, or that nobody has waited for yet. One whose first thread alone has ended is neither: it shows
// that thread's state, and has more of them.
uint64_t process_look(pid_t pid, bool *ret_ending) {
    char text[STAT_SIZE];
    const char *fields = read_stat(pid, text);
    if (!fields) {
        return 0;
    }
    errno = ESRCH;
    char state = '\0';
    unsigned long long start = 0;
    unsigned flags = 0;
    int threads = 0;
    *ret_ending = false;
    if (sscanf(fields, " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu", &state, &flags,
                          &threads, &start) != 4) {
        return 0;
    }
    if (threads > 1) {
        return start;
    }
    *ret_ending = flags & FLAG_EXITING;
    return state == 'Z' || state == 'X' ? 0 : start;
}

uint64_t process_start_time(pid_t pid) {
    bool ending;
    return process_look(pid, &ending);
}

bool process_zombie_status(pid_t pid, int *ret_status) {
    char text[STAT_SIZE], state;
    const char *fields = read_stat(pid, text), *last = fields ? strrchr(fields, ' ') : NULL;
    int status;
    if (!last || sscanf(fields, " %c", &state) != 1 || state != 'Z' || sscanf(last, " %d", &status) != 1 || status == 0) {
        return false;
    }
    *ret_status = status;
    return true;
}
