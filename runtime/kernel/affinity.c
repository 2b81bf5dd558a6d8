#include "runtime/kernel/affinity.h"

#include "runtime/base/err.h"

#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// A number below the bound; *at is moved behind it.
static bool take_number(const char **at, uint32_t *ret) {
    uint32_t number = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        number = number * 10 + (uint32_t)(**at - '0');
        if (number >= AFFINITY_MAX_CPUS) {
            return false;
        }
    }
    *ret = number;
    return *at > start;
}

static void skip_blanks(const char **at) {
    *at += strspn(*at, " ");
}

// "7" or "0-3".
static bool take_range(const char **at, struct affinity *affinity) {
    uint32_t first, last;
    skip_blanks(at);
    if (!take_number(at, &first)) {
        return false;
    }
    last = first;
    skip_blanks(at);
    if (**at == '-') {
        (*at)++;
        skip_blanks(at);
        if (!take_number(at, &last) || last < first) {
            return false;
        }
        skip_blanks(at);
    }
    for (uint32_t cpu = first; cpu <= last; cpu++) {
        affinity->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
    }
    return true;
}

int affinity_parse(const char *list, struct affinity *ret, struct err *err) {
    struct affinity affinity = {0};
    const char *at = list;
    for (;;) {
        if (!take_range(&at, &affinity)) {
            break;
        }
        if (*at == '\0') {
            *ret = affinity;
            return 0;
        }
        if (*at++ != ',') {
            break;
        }
    }
    return err_set(err, ERR_INPUT, "expected a list of processors like 0-3,7, each below %d, found \"%.64s\"", AFFINITY_MAX_CPUS, list);
}

int affinity_set(const struct affinity *affinity, struct err *err) {
    return syscall(SYS_sched_setaffinity, 0, sizeof(affinity->bits), affinity->bits) < 0
               ? err_sys(err, "set the processors to run on")
               : 0;
}

int affinity_get(struct affinity *ret, struct err *err) {
    *ret = (struct affinity){0};
    return syscall(SYS_sched_getaffinity, 0, sizeof(ret->bits), ret->bits) < 0 ? err_sys(err, "ask which processors to run on") : 0;
}
