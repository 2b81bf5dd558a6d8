// host_check: what works on this host and what does not, and what to do about that: looked up, never tried out at the host's cost.
#ifndef COFFER_ENGINE_HOST_CHECK_H
#define COFFER_ENGINE_HOST_CHECK_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct host_check {
    const char *name; // "memory limits"
    bool works;
    bool wanted;        // what misses it is worth a warning; else it is only good to have
    const char *detail; // what was found
    const char *advice; // what to do where it does not work; "" where it does
};

struct host_facts {
    const char *kernel, *os, *architecture, *name; // os: as os-release(5) calls it
    unsigned processors;
    long long memory_bytes;
    int cgroup_version; // 1, 2; 0: none
    bool hybrid;        // version 1 with a hierarchy of version 2 beside it
    bool rootless, has_systemd;
    struct host_check *checks;
    size_t check_count;
};

// Everything lives in the arena.
void host_look(struct arena *arena, struct host_facts *ret);

#endif
