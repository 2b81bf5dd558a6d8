// Theory of operation. Everything is refused but what is listed, in two ways: calls known to be dangerous or useless in a container
// give EPERM, those not listed at all give ENOSYS. The second are mostly calls of kernels to come, and programs that find a call
// missing fall back to an older one, where they would take EPERM for an answer.
//
// The meaning follows the profile that images are tested with everywhere, docker's: no new namespaces, mounts, keyrings, BPF,
// performance counters, modules, clocks without the capability that the kernel wants for them anyway (a user namespace inside the
// container would grant all of them, and has opened many a kernel bug to everybody); no io_uring, whose operations no filter sees;
// no vsock, which reaches the machine that a virtual machine runs on.

#include "specs/profiles/seccomp_default.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/socket.h>

#define CAP(name) (UINT64_C(1) << CAP_##name)

static const uint32_t x86[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, OCI_ARCH_X32, 0};
static const uint32_t arm[] = {AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0};
static const uint32_t ppc[] = {AUDIT_ARCH_PPC64LE, 0};
static const uint32_t s390[] = {AUDIT_ARCH_S390X, AUDIT_ARCH_S390, 0};
static const uint32_t riscv[] = {AUDIT_ARCH_RISCV64, 0};

// clang-format off
const struct seccomp_group seccomp_allowed[] = {
    // Files by name.
    {"access chdir chmod chown chown32 creat execve execveat faccessat faccessat2 fchdir fchmodat fchmodat2 fchownat "
     "fstatat64 futimesat getcwd getdents getdents64 getxattr getxattrat lchown lchown32 lgetxattr link linkat listxattr "
     "listxattrat llistxattr lremovexattr lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat "
     "open openat openat2 readdir readlink readlinkat removexattr removexattrat rename renameat renameat2 rmdir setxattr "
     "setxattrat stat stat64 statfs statfs64 statx symlink symlinkat truncate truncate64 umask unlink unlinkat utime "
     "utimensat utimensat_time64 utimes"},
    // Files by descriptor.
    {"_llseek cachestat close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fchmod fchown "
     "fchown32 fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatfs fstatfs64 "
     "fsync ftruncate ftruncate64 ioctl lseek pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead "
     "readv sendfile sendfile64 splice sync sync_file_range syncfs tee vmsplice write writev"},
    // Waiting for files and events.
    {"_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
     "eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy "
     "io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit poll ppoll ppoll_time64 pselect6 pselect6_time64 "
     "select signalfd signalfd4"},
    // Memory.
    {"brk get_thread_area madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 "
     "mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages "
     "set_thread_area"},
    // Processes, threads and what is theirs.
    {"alarm capget capset exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake "
     "get_robust_list getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpgid "
     "getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid "
     "getuid getuid32 ioprio_get ioprio_set landlock_add_rule landlock_create_ruleset landlock_restrict_self membarrier "
     "pause pidfd_open prctl prlimit64 process_mrelease process_vm_readv process_vm_writev ptrace restart_syscall rseq "
     "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
     "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
     "sched_yield seccomp set_robust_list set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
     "setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
     "setreuid32 setrlimit setsid setuid setuid32 ugetrlimit uretprobe vfork wait4 waitid waitpid"},
    // Signals.
    {"kill pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
     "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack signal sigpending sigprocmask sigreturn "
     "sigsuspend tgkill tkill"},
    // Sockets, but for making one, and talk between processes.
    {"accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open "
     "mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv "
     "recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg "
     "sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair"},
    // Clocks and timers, and what the system says of itself. Setting a clock by adjtimex takes a capability that the kernel checks.
    {"adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
     "clock_nanosleep_time64 getrandom gettimeofday listmount nanosleep statmount sysinfo time timer_create timer_delete "
     "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime "
     "timerfd_gettime64 timerfd_settime timerfd_settime64 times uname"},
    // Of one architecture.
    {"arch_prctl modify_ldt", .architectures = x86},
    {"arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2", .architectures = arm},
    {"swapcontext sync_file_range2", .architectures = ppc},
    {"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", .architectures = s390},
    {"riscv_flush_icache riscv_hwprobe", .architectures = riscv},
    // With a capability, which the kernel asks for as well, if not everywhere.
    {"fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree open_tree_attr "
     "pivot_root quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare",
     CAP(SYS_ADMIN)},
    {"bpf", CAP(SYS_ADMIN) | CAP(BPF)},
    {"perf_event_open", CAP(SYS_ADMIN) | CAP(PERFMON)},
    {"syslog", CAP(SYS_ADMIN) | CAP(SYSLOG)},
    {"open_by_handle_at", CAP(DAC_READ_SEARCH)},
    {"reboot", CAP(SYS_BOOT)},
    {"chroot", CAP(SYS_CHROOT)},
    {"delete_module finit_module init_module", CAP(SYS_MODULE)},
    {"get_mempolicy mbind set_mempolicy set_mempolicy_home_node", CAP(SYS_NICE)},
    {"acct", CAP(SYS_PACCT)},
    {"kcmp pidfd_getfd process_madvise", CAP(SYS_PTRACE)},
    {"ioperm iopl", CAP(SYS_RAWIO)},
    {"clock_settime clock_settime64 settimeofday stime", CAP(SYS_TIME)},
    {"vhangup", CAP(SYS_TTY_CONFIG)},
    {NULL},
};

const char seccomp_denied[] =
    "_sysctl add_key bdflush create_module get_kernel_syms io_uring_enter io_uring_register io_uring_setup kexec_file_load "
    "kexec_load keyctl migrate_pages move_pages nfsservctl pciconfig_iobase pciconfig_read pciconfig_write query_module "
    "request_key swapoff swapon sysfs uselib userfaultfd ustat vm86 vm86old";

// A new thread or process may have no new namespace: all the flags clear, or else one of them is set. clone3 keeps its flags in
// memory, where no filter looks; told that it is missing, the C library takes clone.
#define NAMESPACE_FLAGS                                                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#if defined(__s390__)
enum { CLONE_FLAGS_AT = 1 };
#else
enum { CLONE_FLAGS_AT = 0 };
#endif
#define NO_CLONE(flag)                                                                                                             \
    {.name = "clone", .action = SECCOMP_RET_ERRNO, .errno_ret = EPERM, .unless = CAP(SYS_ADMIN), .has_arg = true,                  \
     .arg = {CLONE_FLAGS_AT, OCI_SECCOMP_MASKED_EQ, (flag), (flag)}}
// The kernel takes the lower half of these arguments, so that is what is looked at: comparing all 64 bits would let a forbidden
// family through with a bit set in the upper half, and refuse allowed ones where a compiler left something there.
#define LOWER(name_, action_, errno_, mask, value_)                                                                                \
    {.name = (name_), .action = (action_), .errno_ret = (errno_), .has_arg = true,                                                 \
     .arg = {0, OCI_SECCOMP_MASKED_EQ, UINT32_C(0xffffffff) & (mask), (value_)}}
#define PERSONALITY(value_) LOWER("personality", SECCOMP_RET_ALLOW, 0, UINT32_MAX, (value_))
#define FAMILIES(mask, value_) LOWER("socket", SECCOMP_RET_ALLOW, 0, (mask), (value_))

static_assert(AF_VSOCK == 40, "the families below leave out 40");

const struct seccomp_special seccomp_specials[] = {
    {.name = "clone", .action = SECCOMP_RET_ALLOW, .when = CAP(SYS_ADMIN)},
    {.name = "clone", .action = SECCOMP_RET_ALLOW, .unless = CAP(SYS_ADMIN), .has_arg = true,
     .arg = {CLONE_FLAGS_AT, OCI_SECCOMP_MASKED_EQ, NAMESPACE_FLAGS, 0}},
    NO_CLONE(CLONE_NEWNS),
    NO_CLONE(CLONE_NEWCGROUP),
    NO_CLONE(CLONE_NEWUTS),
    NO_CLONE(CLONE_NEWIPC),
    NO_CLONE(CLONE_NEWUSER),
    NO_CLONE(CLONE_NEWPID),
    NO_CLONE(CLONE_NEWNET),
    {.name = "clone3", .action = SECCOMP_RET_ALLOW, .when = CAP(SYS_ADMIN)},
    {.name = "clone3", .action = SECCOMP_RET_ERRNO, .errno_ret = ENOSYS, .unless = CAP(SYS_ADMIN)},
    // All families up to 63, of which Linux 6.18 has 46, but one: 0-31, 32-39, 41, 42-43, 44-47, 48-63.
    FAMILIES(~31u, 0),
    FAMILIES(~7u, 32),
    LOWER("socket", SECCOMP_RET_ERRNO, EPERM, UINT32_MAX, AF_VSOCK),
    FAMILIES(UINT32_MAX, 41),
    FAMILIES(~1u, 42),
    FAMILIES(~3u, 44),
    FAMILIES(~15u, 48),
    PERSONALITY(0x0),        // PER_LINUX
    PERSONALITY(0x8),        // PER_LINUX32
    PERSONALITY(0x20000),    // UNAME26, with either
    PERSONALITY(0x20008),
    PERSONALITY(0xffffffff), // only asks
    {.name = NULL},
};
// clang-format on
