// number_set: processors or memory nodes, from a list like the kernel's own: "0-3,7" (cpuset(7), "List format").
#ifndef COFFER_BASE_NUMBER_SET_H
#define COFFER_BASE_NUMBER_SET_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_SET_MAX = 8192 }; // numbers are below this: NR_CPUS of the largest kernels

struct number_set {
    uint64_t words[NUMBER_SET_MAX / 64]; // bit n % 64 of word n / 64 is number n: on 64 bits the layout of the kernel's own masks
    size_t limit;                        // one more than the largest number, 0 for the empty set
};

// -1, with *ret untouched, for what is no such list: blanks may stand around its numbers, an empty list is not one.
int number_set_parse(const char *text, struct number_set *ret) MUST_CHECK;

#endif
