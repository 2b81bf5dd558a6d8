// Which system call a process was killed for by its filter. Its parent learns of SIGSYS and no more (siginfo_t of SIGSYS goes to the
// process itself); the kernel says it in its log, by a record of type AUDIT_SECCOMP (1326), where no audit daemon takes those.
#ifndef COFFER_KERNEL_SECCOMP_LOG_H
#define COFFER_KERNEL_SECCOMP_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct seccomp_kill {
    char name[32]; // "" where this version knows none of that number
    int number;
};

// Reads the kernel's log for the newest record about the process, since that moment (seconds since 1970). Waits for a moment, as the
// kernel writes it down behind the process's death. False where it says nothing, or may not be read (dmesg_restrict).
bool seccomp_log_find(pid_t pid, int64_t since_s, struct seccomp_kill *ret);

// The same in a text.
bool seccomp_log_parse(const char *text, pid_t pid, int64_t since_s, struct seccomp_kill *ret);

#endif
