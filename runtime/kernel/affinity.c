#include "runtime/kernel/affinity.h"

#include "runtime/base/err.h"
#include "runtime/base/number_set.h"

#include <assert.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert((int)AFFINITY_MAX_CPUS == (int)NUMBER_SET_MAX, "a list of processors fits into both");

int affinity_parse(const char *list, struct affinity *ret, struct err *err) {
    struct number_set set;
    if (number_set_parse(list, &set) < 0) {
        return err_set(err, ERR_INPUT, "expected a list of processors like 0-3,7, each below %d, found \"%.64s\"", AFFINITY_MAX_CPUS,
                       list);
    }
    memcpy(ret->bits, set.words, sizeof(ret->bits));
    return 0;
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
