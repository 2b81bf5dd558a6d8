// What a process of ours that reads strangers' bytes keeps: some descriptors, and some system calls (seccomp(2)).
#ifndef COFFER_KERNEL_JAIL_H
#define COFFER_KERNEL_JAIL_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct err;

// A call that is allowed by one of its arguments, of which the lower 32 bits are looked at: none of `without` in it, and, where
// there is a list, one of its values. Else `otherwise`.
struct jail_check {
    unsigned number;
    unsigned argument;
    uint32_t without;
    const uint32_t *values;
    size_t values_count;
    uint32_t otherwise; // SECCOMP_RET_*
};

enum { JAIL_MAX_CALLS = 160, JAIL_MAX_CHECKS = 8, JAIL_MAX_VALUES = 8 };

struct jail_filter {
    const unsigned *calls; // allowed as they are
    size_t calls_count;
    const struct jail_check *checks;
    size_t checks_count;
    uint32_t otherwise; // of all other calls
};

// Also sets no_new_privs. Calls of another architecture kill the process. There is no way back.
int jail_filter_calls(const struct jail_filter *filter, struct err *err) MUST_CHECK;

// Closes all descriptors but these; 0, 1 and 2 become /dev/null where they are not among them: a C library that aborts
// writes to number 2, whatever that is by then. Must come before a filter.
int jail_keep_descriptors(const int *kept, size_t count, struct err *err) MUST_CHECK;

#endif
