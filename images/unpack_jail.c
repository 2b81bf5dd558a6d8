#include "images/unpack_jail.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__x86_64__)
#define JAIL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define JAIL_ARCH AUDIT_ARCH_AARCH64
#else
#error "add this machine's AUDIT_ARCH"
#endif

// Files below the root, memory that is not executable, and the end. Nothing here can send, start, trace or mount anything.
// What each is for: unpack_entry.c and its neighbours; brk to futex: malloc; sysinfo: qsort; getpid to sigaltstack: the
// C library when it aborts.
static const unsigned allowed_calls[] = {
    __NR_read,        __NR_pread64,      __NR_write,          __NR_writev,       __NR_lseek,       __NR_close,     __NR_openat,
    __NR_openat2,     __NR_mkdirat,      __NR_symlinkat,      __NR_linkat,       __NR_mknodat,     __NR_unlinkat,  __NR_fchown,
    __NR_fchownat,    __NR_fchmod,       __NR_fchmodat,       __NR_utimensat,    __NR_fsetxattr,   __NR_lsetxattr, __NR_fchdir,
    __NR_ftruncate,   __NR_fstat,        __NR_newfstatat,     __NR_umask,        __NR_brk,         __NR_munmap,    __NR_mremap,
    __NR_madvise,     __NR_futex,        __NR_geteuid,        __NR_getegid,      __NR_sysinfo,     __NR_getpid,    __NR_gettid,
    __NR_tgkill,      __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_sigaltstack, __NR_exit,      __NR_exit_group,
#ifdef __SANITIZE_ADDRESS__
    __NR_sched_yield, __NR_readlink,     __NR_open,           __NR_prctl,        __NR_getrandom,   __NR_ioctl,     __NR_getrlimit,
    __NR_prlimit64,
#endif
};

// mmap and mprotect: when they do not ask for executable memory.
static const unsigned memory_calls[] = {__NR_mmap, __NR_mprotect};

static int filter_calls(struct err *err) {
    const unsigned deny = SECCOMP_RET_KILL_PROCESS;
    struct sock_filter code[6 + 2 * ARRAY_LEN(allowed_calls) + 4 * ARRAY_LEN(memory_calls)];
    size_t at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, JAIL_ARCH, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, deny);
    // Numbers of x32 have a bit more and match nothing.
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ARRAY_LEN(allowed_calls); i++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_calls[i], 0, 1);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < ARRAY_LEN(memory_calls); i++) {
        // Behind a match the number is gone from the accumulator, so both outcomes return.
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, memory_calls[i], 0, 3);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
        code[at++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1 + 4 * (ARRAY_LEN(memory_calls) - 1 - i), 0);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, deny);
    const struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        return err_sys(err, "filter its system calls");
    }
    return 0;
}

#define CAP(number) (UINT64_C(1) << (number))

static int drop_capabilities(struct err *err) {
    const uint64_t kept =
        CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_MKNOD) | CAP(CAP_SETFCAP);
    struct caps caps = {0};
    uint64_t ungranted;
    if (caps_read(&caps, err) < 0) {
        return -1;
    }
    caps = (struct caps){.bounding = CAPS_ALL, .effective = caps.permitted & kept, .permitted = caps.permitted & kept};
    return caps_after_ids(&caps, &ungranted, err);
}

static void sort_two(int *a, int *b) {
    if (*a > *b) {
        int swap = *a;
        *a = *b;
        *b = swap;
    }
}

// Standard input, output and error become /dev/null: a C library that aborts writes to number 2, whatever that is by then.
static int keep_descriptors(int a, int b, int c, struct err *err) {
    AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int last_standard = STDERR_FILENO;
#ifdef __SANITIZE_ADDRESS__
    last_standard = STDOUT_FILENO; // its reports are worth more
#endif
    for (int i = 0; i <= last_standard && null >= 0; i++) {
        if (i != a && i != b && i != c && dup3(null, i, null == i ? 0 : O_CLOEXEC) < 0 && errno != EINVAL) {
            return err_sys(err, "redirect its standard descriptors");
        }
    }
    sort_two(&a, &b);
    sort_two(&b, &c);
    sort_two(&a, &b);
    const int bounds[] = {STDERR_FILENO, a, b, c, INT32_MAX};
    for (size_t i = 0; i + 1 < ARRAY_LEN(bounds); i++) {
        unsigned first = (unsigned)(bounds[i] < STDERR_FILENO ? STDERR_FILENO : bounds[i]) + 1, end = (unsigned)bounds[i + 1];
        if (first < end && sys_close_range(first, end - 1, 0) < 0) {
            return err_sys(err, "close its other descriptors");
        }
    }
    (void)fd_take(&null); // closed with the others
    return 0;
}

int unpack_jail_enter(int input_fd, int dir_fd, int output_fd, struct err *err) {
    if (keep_descriptors(input_fd, dir_fd, output_fd, err) < 0) {
        return -1;
    }
    if (fchdir(dir_fd) < 0 || chroot(".") < 0) {
        return err_sys(err, "make the layer's directory its root");
    }
    if (drop_capabilities(err) < 0) {
        return -1;
    }
    return filter_calls(err);
}
