// What the responder gives up (dns.h has the theory).
#include "runtime/kernel/jail.h"
#include "runtime/base/attr.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/landlock.h"
#include "runtime/net/responder/responder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534 };

// brk to madvise: malloc; fcntl, getdents64, lseek: directories; clock_gettime: where there is no vDSO; rt_sigprocmask to tgkill:
// the C library when it aborts.
static const unsigned allowed_calls[] = {
    __NR_read,          __NR_close,          __NR_fstat,           __NR_newfstatat,   __NR_statx,      __NR_getdents64,
    __NR_lseek,         __NR_fcntl,          __NR_flock,           __NR_brk,          __NR_munmap,     __NR_mremap,
    __NR_madvise,       __NR_recvfrom,       __NR_sendto,          __NR_accept4,      __NR_connect,    __NR_getrandom,
    __NR_clock_gettime, __NR_nanosleep,      __NR_clock_nanosleep, __NR_exit,         __NR_exit_group, __NR_ppoll,
    __NR_gettid,        __NR_rt_sigprocmask, __NR_rt_sigaction,    __NR_rt_sigreturn, __NR_tgkill,     __NR_restart_syscall,
#ifdef __x86_64__
    __NR_poll,
#endif
};

// What is written is that all is well, and what the C library says when it aborts: not to the lock, whose number others believe.
// Files are opened to be read, sockets are the internet's, no memory is executable, and of devices only the numbers of interfaces
// are asked.
static const uint32_t families[] = {AF_INET, AF_INET6}, controls[] = {SIOCGIFINDEX}, outputs[] = {STDERR_FILENO, RESPONDER_STATUS};
enum { WRITING = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND };
static const struct jail_check checks[] = {
    {.number = __NR_openat, .argument = 2, .without = WRITING, .otherwise = SECCOMP_RET_KILL_PROCESS},
    {.number = __NR_mmap, .argument = 2, .without = PROT_EXEC, .otherwise = SECCOMP_RET_KILL_PROCESS},
    {.number = __NR_mprotect, .argument = 2, .without = PROT_EXEC, .otherwise = SECCOMP_RET_KILL_PROCESS},
    {.number = __NR_socket,
     .argument = 0,
     .values = families,
     .values_count = ARRAY_LEN(families),
     .otherwise = SECCOMP_RET_KILL_PROCESS},
    {.number = __NR_write,
     .argument = 0,
     .values = outputs,
     .values_count = ARRAY_LEN(outputs),
     .otherwise = SECCOMP_RET_KILL_PROCESS},
    {.number = __NR_ioctl,
     .argument = 1,
     .values = controls,
     .values_count = ARRAY_LEN(controls),
     .otherwise = SECCOMP_RET_KILL_PROCESS},
};

static int filter_calls(struct err *err) {
    const struct jail_filter filter = {
        .calls = allowed_calls,
        .calls_count = ARRAY_LEN(allowed_calls),
        .checks = checks,
        .checks_count = ARRAY_LEN(checks),
        .otherwise = SECCOMP_RET_KILL_PROCESS,
    };
#ifdef __SANITIZE_ADDRESS__
    (void)filter;
    (void)err;
    return 0; // the sanitiser's own calls are not ours to list
#else
    return jail_filter_calls(&filter, err);
#endif
}

// Where it is root it sees the endpoints alone, and becomes nobody, if ids are there for that (in a user namespace of one id there
// are none).
static int lay_down(struct err *err) {
    struct caps caps = {.bounding = CAPS_ALL};
    uint64_t ungranted;
    bool is_root = geteuid() == 0;
    if (fchdir(RESPONDER_ENDPOINTS) < 0 || (is_root && chroot(".") < 0)) {
        return err_sys(err, "make the folder of endpoints its root");
    }
    if (is_root) {
        (void)setgroups(0, NULL);
        bool is_nobody = setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
        if (!is_nobody && errno != EINVAL && errno != EPERM) {
            return err_sys(err, "become nobody");
        }
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return err_sys(err, "set no_new_privs");
    }
    return caps_after_ids(&caps, &ungranted, err);
}

// Reading below the three directories, and connections to port 53, where the kernel knows of such rules.
static int lock_files(struct err *err) {
    static const int readable[] = {RESPONDER_ENDPOINTS, RESPONDER_RESOLV, RESPONDER_BEHIND};
    int version = landlock_version();
    bool has_ports = version >= LANDLOCK_TCP_VERSION;
    if (version == 0) {
        return 0;
    }
    AUTO_FD int ruleset =
        landlock_create(landlock_file_rights(version), has_ports ? LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP : 0, err);
    if (ruleset < 0 || (has_ports && landlock_allow_port(ruleset, DNS_PORT, LANDLOCK_CONNECT_TCP, err) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(readable); i++) {
        uint64_t rights = LANDLOCK_READ_FILE | (readable[i] == RESPONDER_ENDPOINTS ? LANDLOCK_READ_DIR : 0);
        if (landlock_allow_path(ruleset, readable[i], rights, err) < 0) {
            return -1;
        }
    }
    return landlock_restrict(ruleset, err);
}

int responder_jail_enter(struct err *err) {
    const struct rlimit no_core = {0};
    int kept[RESPONDER_END + 2] = {responder.watch_fd, RESPONDER_STATUS, RESPONDER_ENDPOINTS,
                                   RESPONDER_LOCK,     RESPONDER_RESOLV, RESPONDER_BEHIND};
    size_t count = 6;
    for (unsigned i = 0; i < 2 * responder.order.subnet_count; i++) {
        kept[count++] = RESPONDER_SOCKETS + (int)i;
    }
    (void)setrlimit(RLIMIT_CORE, &no_core);
    return jail_keep_descriptors(kept, count, err) < 0 || lay_down(err) < 0 || lock_files(err) < 0 ? -1 : filter_calls(err);
}
