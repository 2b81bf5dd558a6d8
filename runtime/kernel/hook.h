// Running one hook program: the state document on its standard input, its exit code awaited, a bound on its time.
// (runtime-spec, "POSIX-platform Hooks".)
#ifndef COFFER_KERNEL_HOOK_H
#define COFFER_KERNEL_HOOK_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;

struct hook {
    const char *path; // absolute
    const char **args; // with the name first, NULL-terminated; NULL: the path alone
    const char **env;  // NULL-terminated; NULL: empty
    uint32_t timeout_s; // 0: none
    // What the hook's process does right before it executes it, to be less than its maker. NULL: nothing.
    int (*prepare)(void *context, struct err *err);
    void *context;
};

// Success is exit code 0 in time. A hook that does not read its input does no harm; one that is late is killed.
int hook_run(const struct hook *hook, const char *state, struct err *err) MUST_CHECK;

#endif
