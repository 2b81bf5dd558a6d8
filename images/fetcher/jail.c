#include "images/fetcher/jail.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/jail.h"
#include "runtime/kernel/landlock.h"

#include <errno.h>
#include <grp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

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

// Threads, but no namespaces; sockets of the internet and of routes, no local ones; of a socket how much there is to read, but
// nothing that a terminal would take for its user's typing (TIOCSTI).
enum { CLONE_SPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP };
static const uint32_t families[] = {AF_INET, AF_INET6, AF_NETLINK}, controls[] = {FIONREAD, FIONBIO};
static const struct jail_check checks[] = {
    {.number = __NR_clone, .argument = 0, .without = CLONE_SPACES, .otherwise = SECCOMP_RET_ERRNO | ENOSYS},
    {.number = __NR_socket,
     .argument = 0,
     .values = families,
     .values_count = ARRAY_LEN(families),
     .otherwise = SECCOMP_RET_ERRNO | EAFNOSUPPORT},
    {.number = __NR_ioctl,
     .argument = 1,
     .values = controls,
     .values_count = ARRAY_LEN(controls),
     .otherwise = SECCOMP_RET_ERRNO | ENOTTY},
};

static int filter_calls(struct err *err) {
    const struct jail_filter filter = {
        .calls = allowed_calls,
        .calls_count = ARRAY_LEN(allowed_calls),
        .checks = checks,
        .checks_count = ARRAY_LEN(checks),
        .otherwise = SECCOMP_RET_ERRNO | ENOSYS,
    };
#ifdef __SANITIZE_ADDRESS__
    (void)filter;
    (void)err;
    return 0; // the sanitiser's own calls are not ours to list
#else
    return jail_filter_calls(&filter, err);
#endif
}

// Where it is root it becomes nobody, if ids are there for that (in a user namespace of one id there are none).
static int lay_down(struct err *err) {
    struct caps caps = {.bounding = CAPS_ALL};
    uint64_t ungranted;
    if (geteuid() == 0) {
        (void)setgroups(0, NULL);
        bool changed = setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
        if (!changed && errno != EINVAL && errno != EPERM) { // no such id here, or root that may not change its own
            return err_sys(err, "become nobody");
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
    return jail_keep_descriptors(&socket, 1, err) < 0 || lay_down(err) < 0 || lock_files(err) < 0 ? -1 : filter_calls(err);
}
