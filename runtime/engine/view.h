// view: a container as those see it who look at it: its record, what was wished for, what it is in, and where it can be reached.
//
// What of its networks is true only while it runs is kept in the record (record.h, `networks`), by who made it so: ports that the
// kernel chose, addresses, hardware addresses. So a look at it asks neither the packet filter nor the container's namespace.
#ifndef COFFER_ENGINE_VIEW_H
#define COFFER_ENGINE_VIEW_H

#include "runtime/base/attr.h"
#include "runtime/engine/health.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct home;

struct view_network {
    const char *name, *id;
    const char *address, *gateway;   // IPv4; "" where there is none
    const char *address6, *gateway6; // IPv6
    uint32_t prefix, prefix6;
    const char *mac;
    const char **aliases;
    size_t aliases_count;
};

struct view_port {
    const char *protocol; // "tcp"
    uint32_t port;        // of the container
    const char *host;     // address of the host: "0.0.0.0" and "::" for all
    uint32_t host_port;
};

struct view {
    struct record record;
    struct run_request request;
    struct mount_list mounts;
    enum record_state state;
    bool attended; // while it runs: its monitor has its lock
    enum health_status health; // while it runs
    struct view_network *networks; // while it runs
    size_t networks_count;
    struct view_port *ports;
    size_t ports_count;
};

// By its whole id. Strings live in the arena. ERR_NOT_FOUND, or ENOENT as errnum, when it was removed meanwhile.
int view_read(const struct home *home, struct arena *arena, const char *id, struct view *ret, struct err *err) MUST_CHECK;

// Whether it runs, paused or not.
bool view_runs(const struct view *view);

#endif
