// seccomp_calls: what a profile says of each system call of an architecture, by numbers. Internal to the filter (seccomp_filter.h).
#ifndef COFFER_CONTAINER_SECCOMP_CALLS_H
#define COFFER_CONTAINER_SECCOMP_CALLS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct oci_seccomp;
struct syscall_row;

enum { SECCOMP_ARGS = 6 };

struct seccomp_compare {
    uint8_t index; // of the argument
    uint8_t op;    // enum oci_seccomp_op
    uint64_t value, value_two;
};

// An action for a call whose arguments compare as said, all of them.
struct seccomp_condition {
    uint32_t action; // with its number in the low half
    uint32_t count;
    struct seccomp_compare compares[SECCOMP_ARGS];
};

struct seccomp_call {
    uint32_t number;
    uint32_t action; // when no condition holds
    const struct seccomp_condition *conditions; // the first that holds counts
    size_t condition_count;
};

struct seccomp_calls {
    struct seccomp_call *items; // by rising number, each once
    size_t count;
    int64_t newest; // the highest number of any call that the profile names, -1 for none
};

// SECCOMP_RET_*, with the number that goes with it.
uint32_t seccomp_default_action(const struct oci_seccomp *seccomp);

// What the table of system calls has for the names of all rules, in their order; NULL for unknown ones, which are noted in the log.
struct seccomp_names {
    const struct syscall_row **rows;
    size_t count;
};

void seccomp_names_find(const struct oci_seccomp *seccomp, struct arena *arena, struct seccomp_names *ret);

// All in the arena. architecture: AUDIT_ARCH_*, or OCI_ARCH_X32, whose numbers have their bit.
void seccomp_calls_collect(const struct oci_seccomp *seccomp, const struct seccomp_names *names, uint32_t architecture,
                           struct arena *arena, struct seccomp_calls *ret);

#endif
