// The processors a thread may run on (sched_setaffinity(2)), and lists of them as the kernel and documents write them: "0-3,7".
#ifndef COFFER_KERNEL_AFFINITY_H
#define COFFER_KERNEL_AFFINITY_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;

enum { AFFINITY_MAX_CPUS = 8192 }; // NR_CPUS of the largest kernels

struct affinity {
    uint64_t bits[AFFINITY_MAX_CPUS / 64];
};

// A list of numbers and ranges with commas between; blanks may stand around each. An empty list, a range that goes down, and a number of
// AFFINITY_MAX_CPUS or more are errors.
int affinity_parse(const char *list, struct affinity *ret, struct err *err) MUST_CHECK;

// Of the calling thread. Processors that the machine or the control group does not have are passed over by the kernel; none left is an
// error.
int affinity_set(const struct affinity *affinity, struct err *err) MUST_CHECK;
int affinity_get(struct affinity *ret, struct err *err) MUST_CHECK;

#endif
