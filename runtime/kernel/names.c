#include "runtime/kernel/names.h"

#include "runtime/base/attr.h"

#include <errno.h>
#include <assert.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

// clang-format off
static const char *const capabilities[] = {
    [CAP_CHOWN]              = "CAP_CHOWN",
    [CAP_DAC_OVERRIDE]       = "CAP_DAC_OVERRIDE",
    [CAP_DAC_READ_SEARCH]    = "CAP_DAC_READ_SEARCH",
    [CAP_FOWNER]             = "CAP_FOWNER",
    [CAP_FSETID]             = "CAP_FSETID",
    [CAP_KILL]               = "CAP_KILL",
    [CAP_SETGID]             = "CAP_SETGID",
    [CAP_SETUID]             = "CAP_SETUID",
    [CAP_SETPCAP]            = "CAP_SETPCAP",
    [CAP_LINUX_IMMUTABLE]    = "CAP_LINUX_IMMUTABLE",
    [CAP_NET_BIND_SERVICE]   = "CAP_NET_BIND_SERVICE",
    [CAP_NET_BROADCAST]      = "CAP_NET_BROADCAST",
    [CAP_NET_ADMIN]          = "CAP_NET_ADMIN",
    [CAP_NET_RAW]            = "CAP_NET_RAW",
    [CAP_IPC_LOCK]           = "CAP_IPC_LOCK",
    [CAP_IPC_OWNER]          = "CAP_IPC_OWNER",
    [CAP_SYS_MODULE]         = "CAP_SYS_MODULE",
    [CAP_SYS_RAWIO]          = "CAP_SYS_RAWIO",
    [CAP_SYS_CHROOT]         = "CAP_SYS_CHROOT",
    [CAP_SYS_PTRACE]         = "CAP_SYS_PTRACE",
    [CAP_SYS_PACCT]          = "CAP_SYS_PACCT",
    [CAP_SYS_ADMIN]          = "CAP_SYS_ADMIN",
    [CAP_SYS_BOOT]           = "CAP_SYS_BOOT",
    [CAP_SYS_NICE]           = "CAP_SYS_NICE",
    [CAP_SYS_RESOURCE]       = "CAP_SYS_RESOURCE",
    [CAP_SYS_TIME]           = "CAP_SYS_TIME",
    [CAP_SYS_TTY_CONFIG]     = "CAP_SYS_TTY_CONFIG",
    [CAP_MKNOD]              = "CAP_MKNOD",
    [CAP_LEASE]              = "CAP_LEASE",
    [CAP_AUDIT_WRITE]        = "CAP_AUDIT_WRITE",
    [CAP_AUDIT_CONTROL]      = "CAP_AUDIT_CONTROL",
    [CAP_SETFCAP]            = "CAP_SETFCAP",
    [CAP_MAC_OVERRIDE]       = "CAP_MAC_OVERRIDE",
    [CAP_MAC_ADMIN]          = "CAP_MAC_ADMIN",
    [CAP_SYSLOG]             = "CAP_SYSLOG",
    [CAP_WAKE_ALARM]         = "CAP_WAKE_ALARM",
    [CAP_BLOCK_SUSPEND]      = "CAP_BLOCK_SUSPEND",
    [CAP_AUDIT_READ]         = "CAP_AUDIT_READ",
    [CAP_PERFMON]            = "CAP_PERFMON",
    [CAP_BPF]                = "CAP_BPF",
    [CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};
static_assert(ARRAY_LEN(capabilities) == CAP_LAST_CAP + 1, "the kernel's headers know another number of capabilities");

static const char *const rlimits[] = {
    [RLIMIT_CPU]        = "RLIMIT_CPU",
    [RLIMIT_FSIZE]      = "RLIMIT_FSIZE",
    [RLIMIT_DATA]       = "RLIMIT_DATA",
    [RLIMIT_STACK]      = "RLIMIT_STACK",
    [RLIMIT_CORE]       = "RLIMIT_CORE",
    [RLIMIT_RSS]        = "RLIMIT_RSS",
    [RLIMIT_NPROC]      = "RLIMIT_NPROC",
    [RLIMIT_NOFILE]     = "RLIMIT_NOFILE",
    [RLIMIT_MEMLOCK]    = "RLIMIT_MEMLOCK",
    [RLIMIT_AS]         = "RLIMIT_AS",
    [RLIMIT_LOCKS]      = "RLIMIT_LOCKS",
    [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
    [RLIMIT_MSGQUEUE]   = "RLIMIT_MSGQUEUE",
    [RLIMIT_NICE]       = "RLIMIT_NICE",
    [RLIMIT_RTPRIO]     = "RLIMIT_RTPRIO",
    [RLIMIT_RTTIME]     = "RLIMIT_RTTIME",
};
static_assert(ARRAY_LEN(rlimits) == RLIM_NLIMITS, "the C library knows another number of resource limits");

static const char *const signals[] = {
    [SIGHUP]    = "SIGHUP",
    [SIGINT]    = "SIGINT",
    [SIGQUIT]   = "SIGQUIT",
    [SIGILL]    = "SIGILL",
    [SIGTRAP]   = "SIGTRAP",
    [SIGABRT]   = "SIGABRT",
    [SIGBUS]    = "SIGBUS",
    [SIGFPE]    = "SIGFPE",
    [SIGKILL]   = "SIGKILL",
    [SIGUSR1]   = "SIGUSR1",
    [SIGSEGV]   = "SIGSEGV",
    [SIGUSR2]   = "SIGUSR2",
    [SIGPIPE]   = "SIGPIPE",
    [SIGALRM]   = "SIGALRM",
    [SIGTERM]   = "SIGTERM",
    [SIGSTKFLT] = "SIGSTKFLT",
    [SIGCHLD]   = "SIGCHLD",
    [SIGCONT]   = "SIGCONT",
    [SIGSTOP]   = "SIGSTOP",
    [SIGTSTP]   = "SIGTSTP",
    [SIGTTIN]   = "SIGTTIN",
    [SIGTTOU]   = "SIGTTOU",
    [SIGURG]    = "SIGURG",
    [SIGXCPU]   = "SIGXCPU",
    [SIGXFSZ]   = "SIGXFSZ",
    [SIGVTALRM] = "SIGVTALRM",
    [SIGPROF]   = "SIGPROF",
    [SIGWINCH]  = "SIGWINCH",
    [SIGIO]     = "SIGIO",
    [SIGPWR]    = "SIGPWR",
    [SIGSYS]    = "SIGSYS",
};
static_assert(ARRAY_LEN(signals) == 32 && SIGNAL_MAX + 1 == _NSIG, "another number of signals than Linux has on x86 and arm");

static const struct {
    const char *name;
    int signal;
} signal_aliases[] = {
    {"SIGIOT", SIGABRT},
    {"SIGCLD", SIGCHLD},
    {"SIGPOLL", SIGIO},
};
// clang-format on

// Whether name is full_name, or full_name without its prefix; case does not matter.
static bool is_name(const char *name, const char *full_name, size_t prefix_size) {
    return full_name && (strcasecmp(name, full_name) == 0 || strcasecmp(name, full_name + prefix_size) == 0);
}

static int find(const char *const *table, size_t count, const char *name, const char *prefix) {
    for (size_t i = 0; i < count; i++) {
        if (is_name(name, table[i], strlen(prefix))) {
            return (int)i;
        }
    }
    return -1;
}

static const char *at(const char *const *table, size_t count, int number) {
    return number >= 0 && (size_t)number < count ? table[number] : NULL;
}

int name_capability(const char *name) {
    return find(capabilities, ARRAY_LEN(capabilities), name, "CAP_");
}

const char *name_of_capability(int capability) {
    return at(capabilities, ARRAY_LEN(capabilities), capability);
}

int name_rlimit(const char *name) {
    return find(rlimits, ARRAY_LEN(rlimits), name, "RLIMIT_");
}

const char *name_of_rlimit(int rlimit) {
    return at(rlimits, ARRAY_LEN(rlimits), rlimit);
}

// One or two digits and nothing else, -1 otherwise: no sign, no blank, no octal.
static int small_number(const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits < 1 || digits > 2 || text[digits] != '\0') {
        return -1;
    }
    return digits == 1 ? text[0] - '0' : (text[0] - '0') * 10 + text[1] - '0';
}

// "RTMIN", "RTMIN+n", "RTMAX", "RTMAX-n", the prefix already gone.
static int realtime_signal(const char *name) {
    bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
    if (!from_max && strncasecmp(name, "RTMIN", 5) != 0) {
        return -1;
    }
    int base = from_max ? SIGNAL_MAX : SIGNAL_RTMIN;
    if (name[5] == '\0') {
        return base;
    }
    int distance = name[5] == (from_max ? '-' : '+') ? small_number(name + 6) : -1;
    if (distance < 0 || distance > SIGNAL_MAX - SIGNAL_RTMIN) {
        return -1;
    }
    return from_max ? base - distance : base + distance;
}

int name_signal(const char *name) {
    int number = small_number(name);
    if (number >= 0) {
        return number >= 1 && number <= SIGNAL_MAX ? number : -1;
    }
    number = find(signals, ARRAY_LEN(signals), name, "SIG");
    if (number >= 0) {
        return number;
    }
    for (size_t i = 0; i < ARRAY_LEN(signal_aliases); i++) {
        if (is_name(name, signal_aliases[i].name, strlen("SIG"))) {
            return signal_aliases[i].signal;
        }
    }
    return realtime_signal(strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name);
}

const char *name_of_signal(int signal, char room[SIGNAL_NAME_SIZE]) {
    if (signal < SIGNAL_RTMIN || signal > SIGNAL_MAX) {
        return at(signals, ARRAY_LEN(signals), signal);
    }
    if (signal == SIGNAL_RTMIN) {
        return "SIGRTMIN";
    }
    snprintf(room, SIGNAL_NAME_SIZE, "SIGRTMIN+%d", signal - SIGNAL_RTMIN);
    return room;
}

// clang-format off
static const struct {
    const char *name;
    int number;
} errors[] = {
    {"EPERM", EPERM}, {"ENOENT", ENOENT}, {"ESRCH", ESRCH}, {"EINTR", EINTR}, {"EIO", EIO}, {"ENXIO", ENXIO}, {"E2BIG", E2BIG},
    {"ENOEXEC", ENOEXEC}, {"EBADF", EBADF}, {"ECHILD", ECHILD}, {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"EACCES", EACCES},
    {"EFAULT", EFAULT}, {"ENOTBLK", ENOTBLK}, {"EBUSY", EBUSY}, {"EEXIST", EEXIST}, {"EXDEV", EXDEV}, {"ENODEV", ENODEV},
    {"ENOTDIR", ENOTDIR}, {"EISDIR", EISDIR}, {"EINVAL", EINVAL}, {"ENFILE", ENFILE}, {"EMFILE", EMFILE}, {"ENOTTY", ENOTTY},
    {"ETXTBSY", ETXTBSY}, {"EFBIG", EFBIG}, {"ENOSPC", ENOSPC}, {"ESPIPE", ESPIPE}, {"EROFS", EROFS}, {"EMLINK", EMLINK},
    {"EPIPE", EPIPE}, {"EDOM", EDOM}, {"ERANGE", ERANGE}, {"EDEADLK", EDEADLK}, {"ENAMETOOLONG", ENAMETOOLONG},
    {"ENOLCK", ENOLCK}, {"ENOSYS", ENOSYS}, {"ENOTEMPTY", ENOTEMPTY}, {"ELOOP", ELOOP}, {"ENOMSG", ENOMSG}, {"EIDRM", EIDRM},
    {"ECHRNG", ECHRNG}, {"EL2NSYNC", EL2NSYNC}, {"EL3HLT", EL3HLT}, {"EL3RST", EL3RST}, {"ELNRNG", ELNRNG}, {"EUNATCH", EUNATCH},
    {"ENOCSI", ENOCSI}, {"EL2HLT", EL2HLT}, {"EBADE", EBADE}, {"EBADR", EBADR}, {"EXFULL", EXFULL}, {"ENOANO", ENOANO},
    {"EBADRQC", EBADRQC}, {"EBADSLT", EBADSLT}, {"EBFONT", EBFONT}, {"ENOSTR", ENOSTR}, {"ENODATA", ENODATA}, {"ETIME", ETIME},
    {"ENOSR", ENOSR}, {"ENONET", ENONET}, {"ENOPKG", ENOPKG}, {"EREMOTE", EREMOTE}, {"ENOLINK", ENOLINK}, {"EADV", EADV},
    {"ESRMNT", ESRMNT}, {"ECOMM", ECOMM}, {"EPROTO", EPROTO}, {"EMULTIHOP", EMULTIHOP}, {"EDOTDOT", EDOTDOT},
    {"EBADMSG", EBADMSG}, {"EOVERFLOW", EOVERFLOW}, {"ENOTUNIQ", ENOTUNIQ}, {"EBADFD", EBADFD}, {"EREMCHG", EREMCHG},
    {"ELIBACC", ELIBACC}, {"ELIBBAD", ELIBBAD}, {"ELIBSCN", ELIBSCN}, {"ELIBMAX", ELIBMAX}, {"ELIBEXEC", ELIBEXEC},
    {"EILSEQ", EILSEQ}, {"ERESTART", ERESTART}, {"ESTRPIPE", ESTRPIPE}, {"EUSERS", EUSERS}, {"ENOTSOCK", ENOTSOCK},
    {"EDESTADDRREQ", EDESTADDRREQ}, {"EMSGSIZE", EMSGSIZE}, {"EPROTOTYPE", EPROTOTYPE}, {"ENOPROTOOPT", ENOPROTOOPT},
    {"EPROTONOSUPPORT", EPROTONOSUPPORT}, {"ESOCKTNOSUPPORT", ESOCKTNOSUPPORT}, {"EOPNOTSUPP", EOPNOTSUPP},
    {"EPFNOSUPPORT", EPFNOSUPPORT}, {"EAFNOSUPPORT", EAFNOSUPPORT}, {"EADDRINUSE", EADDRINUSE}, {"EADDRNOTAVAIL", EADDRNOTAVAIL},
    {"ENETDOWN", ENETDOWN}, {"ENETUNREACH", ENETUNREACH}, {"ENETRESET", ENETRESET}, {"ECONNABORTED", ECONNABORTED},
    {"ECONNRESET", ECONNRESET}, {"ENOBUFS", ENOBUFS}, {"EISCONN", EISCONN}, {"ENOTCONN", ENOTCONN}, {"ESHUTDOWN", ESHUTDOWN},
    {"ETOOMANYREFS", ETOOMANYREFS}, {"ETIMEDOUT", ETIMEDOUT}, {"ECONNREFUSED", ECONNREFUSED}, {"EHOSTDOWN", EHOSTDOWN},
    {"EHOSTUNREACH", EHOSTUNREACH}, {"EALREADY", EALREADY}, {"EINPROGRESS", EINPROGRESS}, {"ESTALE", ESTALE},
    {"EUCLEAN", EUCLEAN}, {"ENOTNAM", ENOTNAM}, {"ENAVAIL", ENAVAIL}, {"EISNAM", EISNAM}, {"EREMOTEIO", EREMOTEIO},
    {"EDQUOT", EDQUOT}, {"ENOMEDIUM", ENOMEDIUM}, {"EMEDIUMTYPE", EMEDIUMTYPE}, {"ECANCELED", ECANCELED}, {"ENOKEY", ENOKEY},
    {"EKEYEXPIRED", EKEYEXPIRED}, {"EKEYREVOKED", EKEYREVOKED}, {"EKEYREJECTED", EKEYREJECTED}, {"EOWNERDEAD", EOWNERDEAD},
    {"ENOTRECOVERABLE", ENOTRECOVERABLE}, {"ERFKILL", ERFKILL}, {"EHWPOISON", EHWPOISON},
};
// clang-format on

int name_errno(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        if (strcmp(errors[i].name, name) == 0) {
            return errors[i].number;
        }
    }
    return -1;
}
