// health_probe: one check of a container's health, in a process of its own beside the container's monitor.
//
// Theory of operation. A check takes a while, may hang, and needs the container's whole configuration: so the monitor clones itself for
// it, and stays as small as it is. The clone runs the check's command as `exec` would (the container's rights, user, system call filter,
// a child of the clone), reads what it writes, and holds it to its time; it writes down what came of it, and tells the monitor. It
// begins with the monitor's state of health and draws the same conclusions, by the same pure function (health.h).
//
// Nothing of it is left where one of them is killed: the clone sees the monitor's end by its socket and kills the command with all
// it has started; the command itself is killed by the kernel when the clone is. The lock of the container's folder, which says that a
// monitor lives, is not the clone's.
#ifndef COFFER_ENGINE_HEALTH_PROBE_H
#define COFFER_ENGINE_HEALTH_PROBE_H

#include "runtime/base/attr.h"
#include "runtime/engine/health.h"

#include <stdbool.h>

struct err;
struct home;
struct monitor_container;
struct supervised;

struct health_probe {
    int socket; // readable once the check is over
    int pidfd;
};

#define HEALTH_PROBE_NONE                                                                                                          \
    { .socket = -1, .pidfd = -1 }

struct health_probe_request {
    const struct home *home;
    const char *id;
    const struct monitor_container *container;
    const struct supervised *supervised;
    const struct health *health; // with the check begun
};

struct health_probe_end {
    enum health_result result;
    int exit_code; // -1 where there is none
};

int health_probe_start(const struct health_probe_request *request, struct health_probe *ret, struct err *err) MUST_CHECK;

// Once its socket is readable. True: it has come to an end and is written down. False: it was killed.
bool health_probe_take(struct health_probe *probe, struct health_probe_end *ret);

// Ends one whose container has ended. None is fine.
void health_probe_end(struct health_probe *probe);

#endif
