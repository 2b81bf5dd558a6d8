// security_options: what --security-opt says, with docker's words and podman's.
#ifndef COFFER_ENGINE_SECURITY_OPTIONS_H
#define COFFER_ENGINE_SECURITY_OPTIONS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct strv;

struct security_paths {
    const char **items;
    size_t count;
};

struct security_options {
    const char *seccomp;  // a file, "unconfined", "default"; NULL: not said
    const char *apparmor; // a profile or "unconfined"; NULL: not said
    bool no_new_privileges;
    bool all_paths;                      // systempaths=unconfined: nothing of /proc and /sys is hidden
    struct security_paths mask, unmask; // absolute paths; unmask: "ALL" and patterns of fnmatch(3), too
};

// Everything lives in the arena, or is borrowed from the words.
int security_options_read(const struct strv *words, struct arena *arena, struct security_options *ret, struct err *err) MUST_CHECK;

#endif
