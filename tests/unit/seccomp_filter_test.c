#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/container/seccomp_filter.h"
#include "runtime/kernel/seccomp.h"
#include "specs/oci_seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *all_names[] = {"read",           "write",  "exit_group", "exit",       "close",        "brk",
                                  "mmap",           "munmap", "fstat",      "newfstatat", "rt_sigreturn", "nosuchcall_at_all",
                                  "rt_sigprocmask", "futex",  "getpid"};
static struct oci_seccomp_arg linux_personality = {.index = 0, .op = OCI_SECCOMP_EQ, .value = PER_LINUX};
static struct oci_seccomp_arg masked = {.index = 0, .op = OCI_SECCOMP_MASKED_EQ, .value = 0xf0, .value_two = 0x10};
static const char *personality_name[] = {"personality"};
static const char *umask_name[] = {"umask"};
static const char *alarm_name[] = {"alarm"};
static struct oci_seccomp_rule rules[] = {
    {.names = all_names, .names_count = ARRAY_LEN(all_names), .action = SECCOMP_RET_ALLOW},
    {.names = personality_name, .names_count = 1, .action = SECCOMP_RET_ALLOW, .args = &linux_personality, .args_count = 1},
    {.names = umask_name, .names_count = 1, .action = SECCOMP_RET_ALLOW, .args = &masked, .args_count = 1},
    {.names = alarm_name, .names_count = 1, .action = SECCOMP_RET_ERRNO, .errno_ret = {true, ENOTNAM}},
};
static struct oci_seccomp profile = {.default_action = SECCOMP_RET_ERRNO, .syscalls = rules, .syscalls_count = ARRAY_LEN(rules)};

// Runs body in a child under the filter; its exit code, or 128 + signal.
static int under(const struct oci_seccomp *seccomp, int (*body)(void)) {
    struct err err = {0};
    AUTO_ARENA struct arena arena = {0};
    const void *program = NULL;
    size_t size = 0;
    if (seccomp_filter_make(seccomp, &arena, &program, &size, &err) < 0) {
        printf("# %s\n", err.text);
        return -1;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_load_program(program, size, 0, &err) < 0) {
            _exit(99);
        }
        syscall(SYS_exit_group, body()); // _exit() makes other calls first under ASan
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int result_of(long result) {
    return result < 0 ? errno : 0;
}

static int call_allowed(void) {
    return result_of(syscall(SYS_getpid));
}

static int call_unlisted(void) {
    return result_of(syscall(SYS_chdir, "/"));
}

static int call_with_own_errno(void) {
    return result_of(syscall(SYS_alarm, 0));
}

static int call_with_good_argument(void) {
    return result_of(syscall(SYS_personality, PER_LINUX));
}

static int call_with_bad_argument(void) {
    return result_of(syscall(SYS_personality, PER_LINUX32));
}

static int call_with_masked_argument(void) {
    return result_of(syscall(SYS_umask, 0x1f)) | result_of(syscall(SYS_umask, 0x2f)) << 4;
}

static int call_of_the_future(void) {
    return result_of(syscall(2000));
}

CASE(rules_hold) {
    CHECK_INT(under(&profile, call_allowed), 0);
    CHECK_INT(under(&profile, call_unlisted), EPERM);
    CHECK_INT(under(&profile, call_with_own_errno), ENOTNAM);
    CHECK_INT(under(&profile, call_with_good_argument), 0);
    CHECK_INT(under(&profile, call_with_bad_argument), EPERM);
    CHECK_INT(under(&profile, call_with_masked_argument), EPERM << 4);
}

CASE(calls_newer_than_the_profile_are_missing_not_forbidden) {
    CHECK_INT(under(&profile, call_of_the_future), ENOSYS);
    struct oci_seccomp killing = profile;
    killing.default_action = SECCOMP_RET_KILL_PROCESS;
    CHECK_INT(under(&killing, call_of_the_future), 128 + SIGSYS);
}

#if defined(__x86_64__)
static int call_x32(void) {
    return result_of(syscall(0x40000000 + SYS_getpid));
}

// getpid by the entry of 32-bit programs.
static int call_int80(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result < 0 ? (int)-result : 0;
}

// chdir there, which is not allowed.
static int call_int80_unlisted(void) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(12L), "b"(0L) : "memory", "r8", "r9", "r10", "r11");
    return result < 0 ? (int)-result : 0;
}
#endif

CASE(other_entries_are_covered_or_kill) {
#if defined(__x86_64__)
    CHECK_INT(under(&profile, call_x32), 128 + SIGSYS);
    uint32_t only[] = {AUDIT_ARCH_X86_64};
    struct oci_seccomp native = profile;
    native.architectures = only;
    native.architectures_count = 1;
    CHECK_INT(under(&native, call_allowed), 0);
    int answer = under(&profile, call_int80);
    if (answer == 128 + SIGSEGV || answer == ENOSYS) {
        SKIP("this kernel runs no 32-bit calls");
    }
    CHECK_INT(under(&native, call_int80), 128 + SIGSYS);
    CHECK_INT(answer, 0);
    CHECK_INT(under(&profile, call_int80_unlisted), EPERM);
#else
    SKIP("x86-64 only");
#endif
}

CASE(conditions_on_the_same_argument_are_alternatives) {
    struct oci_seccomp_arg either[] = {linux_personality, {.index = 0, .op = OCI_SECCOMP_EQ, .value = PER_LINUX32}};
    struct oci_seccomp_rule changed[ARRAY_LEN(rules)];
    memcpy(changed, rules, sizeof(rules));
    changed[1].args = either;
    changed[1].args_count = 2;
    struct oci_seccomp both = profile;
    both.syscalls = changed;
    CHECK_INT(under(&both, call_with_good_argument), 0);
    CHECK_INT(under(&both, call_with_bad_argument), 0);
}

CASE(bad_programs_are_refused) {
    struct err err = {0};
    CHECK_INT(seccomp_load_program("1234567", 7, 0, &err), -1);
    CHECK_STR(err.text, "the system call filter has 7 bytes: expected 1 to 4096 instructions of 8");
    CHECK_INT(seccomp_load_program("", 0, 0, &err), -1);
}

CASE(a_listener_is_a_descriptor) {
    struct sock_filter program[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        int fd = -1;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
            fd = seccomp_load_program(program, sizeof(program), SECCOMP_FILTER_FLAG_NEW_LISTENER, &err);
        }
        _exit(fd > 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
}

int main(void) {
    RUN(rules_hold);
    RUN(calls_newer_than_the_profile_are_missing_not_forbidden);
    RUN(other_entries_are_covered_or_kill);
    RUN(conditions_on_the_same_argument_are_alternatives);
    RUN(bad_programs_are_refused);
    RUN(a_listener_is_a_descriptor);
    return check_done();
}
