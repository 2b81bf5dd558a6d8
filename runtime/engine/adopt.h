// Containers whose monitors were killed get another one.
#ifndef COFFER_ENGINE_ADOPT_H
#define COFFER_ENGINE_ADOPT_H

#include "runtime/base/attr.h"
#include "runtime/engine/monitor.h"

#include <stdbool.h>

struct err;
struct home;
struct record;
struct record_dir;

// Makes a monitor for a container that runs alone, or has ended so and is to be started again. The caller's lock goes over to it, or is let go on an error, after which the container
// runs on as before. Is only called where a command begins: the monitor is a clone of it, with all it has open.
int adopt_container(const struct home *home, struct record_dir *give_dir, enum monitor_adopts adopts, struct err *err) MUST_CHECK;

// Whether one that has ended without a monitor is to be started again, as its own would have done.
bool adopt_wants_restart(const struct record *record);

#endif
