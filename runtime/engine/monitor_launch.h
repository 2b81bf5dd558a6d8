// A container's monitor is made: a clone of this process. Private to the engine.
#ifndef COFFER_ENGINE_MONITOR_LAUNCH_H
#define COFFER_ENGINE_MONITOR_LAUNCH_H

#include "runtime/base/attr.h"

struct err;
struct start;

// A monitor at work, as its starter has it.
struct launched_monitor {
    int socket;
    int pidfd;
};

void launched_monitor_finish(struct launched_monitor *launched);

// The lock goes over to the monitor: ours is closed. Waits until the container's command runs, or one that runs is adopted. attached: enum
// control_attach.
int monitor_launch(struct start *start, unsigned attached, struct launched_monitor *ret, struct err *err) MUST_CHECK;

#endif
