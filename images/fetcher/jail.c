#include "images/fetcher/jail.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/landlock.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__x86_64__)
#define JAIL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define JAIL_ARCH AUDIT_ARCH_AARCH64
#else
#error "add this machine's AUDIT_ARCH"
#endif

enum { NOBODY = 65534 };

// What libcurl, OpenSSL and the C library's resolver and threads call. What is missing fails with ENOSYS, as on an older kernel.
static const unsigned allowed_calls[] = {
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_close,
    __NR_fstat,
    __NR_newfstatat,
    __NR_statx,
    __NR_faccessat,
    __NR_faccessat2,
    __NR_openat,
    __NR_lseek,
    __NR_readlinkat,
    __NR_getdents64,
    __NR_fcntl,
    __NR_ioctl,
    __NR_getcwd,
    __NR_fstatfs,
    __NR_mmap,
    __NR_mprotect,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_brk,
    __NR_futex,
    __NR_set_robust_list,
    __NR_rseq,
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_exit,
    __NR_exit_group,
    __NR_restart_syscall,
    __NR_ppoll,
    __NR_pselect6,
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_epoll_pwait,
    __NR_eventfd2,
    __NR_pipe2,
    __NR_socketpair,
    __NR_connect,
    __NR_bind,
    __NR_getsockname,
    __NR_getpeername,
    __NR_getsockopt,
    __NR_setsockopt,
    __NR_sendto,
    __NR_recvfrom,
    __NR_sendmsg,
    __NR_recvmsg,
    __NR_sendmmsg,
    __NR_recvmmsg,
    __NR_shutdown,
    __NR_getrandom,
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_clock_nanosleep,
    __NR_gettimeofday,
    __NR_nanosleep,
    __NR_getpid,
    __NR_gettid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_getppid,
    __NR_uname,
    __NR_sysinfo,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_prlimit64,
    __NR_getrlimit,
    __NR_tgkill,
#ifdef __x86_64__
    __NR_open,
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_readlink,
    __NR_poll,
    __NR_select,
    __NR_epoll_create,
    __NR_epoll_wait,
    __NR_pipe,
    __NR_time,
    __NR_arch_prctl,
#endif
};

// Two calls are looked at more closely: threads but no namespaces; sockets of the internet and of routes, no local ones.
enum { CLONE_SPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP };
static const unsigned families[] = {AF_INET, AF_INET6, AF_NETLINK};

static int filter_calls(struct err *err) {
#ifdef __SANITIZE_ADDRESS__
    (void)allowed_calls;
    (void)families;
    (void)err;
    return 0; // the sanitiser's own calls are not ours to list
#else
    struct sock_filter code[16 + 2 * ARRAY_LEN(allowed_calls) + ARRAY_LEN(families) + 8];
    const unsigned allow = SECCOMP_RET_ALLOW, missing = SECCOMP_RET_ERRNO | ENOSYS, refused = SECCOMP_RET_ERRNO | EAFNOSUPPORT;
    size_t at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, JAIL_ARCH, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    // Numbers of x32 have a bit more and match nothing.
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ARRAY_LEN(allowed_calls); i++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_calls[i], 0, 1);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow);
    }
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_SPACES, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, missing);
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, (unsigned char)(ARRAY_LEN(families) + 3));
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        code[at++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, families[i], (unsigned char)(ARRAY_LEN(families) - i), 0);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refused);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow);
    code[at - 1].k = allow;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, missing);
    const struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? err_sys(err, "filter its system calls") : 0;
#endif
}

static int keep_descriptors(int socket, struct err *err) {
    AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int last_standard = STDERR_FILENO;
#ifdef __SANITIZE_ADDRESS__
    last_standard = STDOUT_FILENO; // its reports are worth more
#endif
    for (int i = 0; i <= last_standard && null >= 0; i++) {
        if (dup3(null, i, O_CLOEXEC) < 0 && errno != EINVAL) {
            return err_sys(err, "redirect its standard descriptors");
        }
    }
    fd_close(&null);
    if ((socket > 3 && sys_close_range(3, (unsigned)socket - 1, 0) < 0) || sys_close_range((unsigned)socket + 1, ~0U, 0) < 0) {
        return err_sys(err, "close its other descriptors");
    }
    return 0;
}

// Where it is root it becomes nobody, if ids are there for that (in a user namespace of one id there are none).
static int lay_down(struct err *err) {
    struct caps caps = {.bounding = CAPS_ALL};
    uint64_t ungranted;
    if (geteuid() == 0) {
        (void)setgroups(0, NULL);
        if (setresgid(NOBODY, NOBODY, NOBODY) == 0) {
            (void)!setresuid(NOBODY, NOBODY, NOBODY);
        }
    }
    // The change of ids has cleared both.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return err_sys(err, "set no_new_privs");
    }
    return caps_after_ids(&caps, &ungranted, err);
}

// Nothing is written, made or executed; reading stays: certificates, and what tells how names are resolved.
static int lock_files(struct err *err) {
    int version = landlock_version();
    if (version == 0) {
        return 0;
    }
    AUTO_FD int ruleset = landlock_create(landlock_file_rights(version) & ~(LANDLOCK_READ_FILE | LANDLOCK_READ_DIR), 0, err);
    return ruleset < 0 ? -1 : landlock_restrict(ruleset, err);
}

int fetcher_jail_enter(int socket, struct err *err) {
    const struct rlimit no_core = {0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    return keep_descriptors(socket, err) < 0 || lay_down(err) < 0 || lock_files(err) < 0 ? -1 : filter_calls(err);
}
