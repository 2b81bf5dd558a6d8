// Names of the kernel's small numbers, as documents and people write them: capabilities(7), getrlimit(2), signal(7).
//
// Names are taken with or without their prefix (CAP_, RLIMIT_, SIG) and in any case, as docker takes them; what is given back is
// the canonical form. Unknown names are -1, unknown numbers NULL. Nothing here allocates or fails otherwise.
#ifndef COFFER_KERNEL_NAMES_H
#define COFFER_KERNEL_NAMES_H

enum {
    // The kernel's range of real-time signals. The C libraries keep the first few for themselves, glibc 2 and musl 3, so their
    // SIGRTMIN differs; images and other tools mean glibc's.
    SIGNAL_RTMIN = 34,
    SIGNAL_MAX = 64,
    SIGNAL_NAME_SIZE = 16, // room for the longest name that name_of_signal makes
};

// "CAP_NET_ADMIN", "net_admin" -> 12.
int name_capability(const char *name);
// 12 -> "CAP_NET_ADMIN".
const char *name_of_capability(int capability);

// "RLIMIT_NOFILE", "nofile" -> RLIMIT_NOFILE.
int name_rlimit(const char *name);
const char *name_of_rlimit(int rlimit);

// "EPERM" -> EPERM. Only the kernel's own spelling.
int name_errno(const char *name);

// "SIGTERM", "term", "15" -> 15; "RTMIN+3", "SIGRTMAX-1" too. 0 and numbers above SIGNAL_MAX are unknown.
int name_signal(const char *name);
// 15 -> "SIGTERM". Real-time signals are counted from SIGRTMIN; their name is made in `room`, the others' is constant.
const char *name_of_signal(int signal, char room[SIGNAL_NAME_SIZE]);

#endif
