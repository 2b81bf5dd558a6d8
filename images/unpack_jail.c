#include "images/unpack_jail.h"

#include "runtime/base/err.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/jail.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// Files below the root, memory that is not executable, and the end. Nothing here can send, start, trace or mount anything.
// What each is for: unpack_entry.c and its neighbours, from getdents64 on verify.c, tree_pack.c and extract.c; brk to futex, getrandom:
// malloc; sysinfo: qsort; getpid to sigaltstack: the C library when it aborts.
static const unsigned allowed_calls[] = {
    __NR_read,        __NR_pread64,      __NR_write,          __NR_writev,       __NR_lseek,       __NR_close,     __NR_openat,
    __NR_openat2,     __NR_mkdirat,      __NR_symlinkat,      __NR_linkat,       __NR_mknodat,     __NR_unlinkat,  __NR_fchown,
    __NR_fchownat,    __NR_fchmod,       __NR_fchmodat,       __NR_utimensat,    __NR_fsetxattr,   __NR_lsetxattr, __NR_fchdir,
    __NR_ftruncate,   __NR_fstat,        __NR_newfstatat,     __NR_umask,        __NR_brk,         __NR_munmap,    __NR_mremap,
    __NR_madvise,     __NR_futex,        __NR_geteuid,        __NR_getegid,      __NR_sysinfo,     __NR_getpid,    __NR_gettid,
    __NR_tgkill,      __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_sigaltstack, __NR_getrandom, __NR_exit,
    __NR_exit_group,  __NR_getdents64,   __NR_readlinkat,     __NR_lgetxattr,    __NR_llistxattr,
    __NR_fstatfs,
#ifdef __NR_lstat
    __NR_lstat, // musl's fstatat(2) of a name in the working directory
#endif
#ifdef __SANITIZE_ADDRESS__
    __NR_sched_yield, __NR_readlink,     __NR_open,           __NR_prctl,        __NR_ioctl,       __NR_getrlimit, __NR_prlimit64,
#endif
};

// Reading, writing, memory, and the end.
static const unsigned plain_calls[] = {
    __NR_read,        __NR_pread64,      __NR_write,          __NR_writev,       __NR_lseek,       __NR_close,  __NR_fstat,
    __NR_brk,         __NR_munmap,       __NR_mremap,         __NR_madvise,      __NR_futex,       __NR_getpid, __NR_gettid,
    __NR_tgkill,      __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_sigaltstack, __NR_exit,   __NR_exit_group,
#ifdef __SANITIZE_ADDRESS__
    __NR_sched_yield, __NR_readlink,     __NR_open,           __NR_prctl,        __NR_getrandom,   __NR_ioctl,  __NR_getrlimit,
    __NR_prlimit64,   __NR_openat,       __NR_newfstatat,
#endif
};

// When they do not ask for executable memory.
static const struct jail_check memory_calls[] = {
    {.number = __NR_mmap, .argument = 2, .without = PROT_EXEC, .otherwise = SECCOMP_RET_KILL_PROCESS},
    {.number = __NR_mprotect, .argument = 2, .without = PROT_EXEC, .otherwise = SECCOMP_RET_KILL_PROCESS},
};

static const struct jail_filter filter = {
    .calls = allowed_calls,
    .calls_count = ARRAY_LEN(allowed_calls),
    .checks = memory_calls,
    .checks_count = ARRAY_LEN(memory_calls),
    .otherwise = SECCOMP_RET_KILL_PROCESS,
};

static const struct jail_filter plain_filter = {
    .calls = plain_calls,
    .calls_count = ARRAY_LEN(plain_calls),
    .checks = memory_calls,
    .checks_count = ARRAY_LEN(memory_calls),
    .otherwise = SECCOMP_RET_KILL_PROCESS,
};

#define CAP(number) (UINT64_C(1) << (number))

static int drop_capabilities(uint64_t kept, struct err *err) {
    struct caps caps = {0};
    uint64_t ungranted;
    if (caps_read(&caps, err) < 0) {
        return -1;
    }
    caps = (struct caps){.bounding = CAPS_ALL, .effective = caps.permitted & kept, .permitted = caps.permitted & kept};
    return caps_after_ids(&caps, &ungranted, err);
}

int unpack_jail_enter(const int *kept_fds, size_t kept_count, int dir_fd, enum unpack_jail jail, struct err *err) {
    static const uint64_t capabilities[] = {
        [UNPACK_JAIL_WRITES] =
            CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_MKNOD) | CAP(CAP_SETFCAP),
        [UNPACK_JAIL_READS] = CAP(CAP_DAC_OVERRIDE),
        // With the calls that are allowed it is good for those attributes alone.
        [UNPACK_JAIL_READS_TRUSTED] = CAP(CAP_DAC_OVERRIDE) | CAP(CAP_SYS_ADMIN),
    };
    if (jail_keep_descriptors(kept_fds, kept_count, err) < 0) {
        return -1;
    }
    if (fchdir(dir_fd) < 0 || chroot(".") < 0) {
        return err_sys(err, "make the layer's directory its root");
    }
    return drop_capabilities(capabilities[jail], err) < 0 ? -1 : jail_filter_calls(&filter, err);
}

int unpack_jail_enter_plain(const int *kept_fds, size_t kept_count, struct err *err) {
    if (jail_keep_descriptors(kept_fds, kept_count, err) < 0) {
        return -1;
    }
    return drop_capabilities(0, err) < 0 ? -1 : jail_filter_calls(&plain_filter, err);
}
