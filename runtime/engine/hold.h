// hold: a running container that stands still while its files are looked at, and goes on afterwards, however we end. Private to the engine.
//
// Theory of operation. A process of its own, the guard, pauses the container, and resumes it when we let go of our end of a socket, or are
// gone; so who is killed leaves nothing paused, and only what was paused by us is resumed. One at a time: holding takes a lock on the
// container's run-time folder (flock(2)), which the guard has, too, until the container goes on. Who pauses it by the user's wish takes
// the same lock, and so never takes our pause for his, nor do we his for ours.
#ifndef COFFER_ENGINE_HOLD_H
#define COFFER_ENGINE_HOLD_H

#include "runtime/base/attr.h"

#include <sys/types.h>

struct err;
struct home;
struct target;

struct hold {
    const struct target *target; // borrowed
    pid_t guard;                 // 0: nothing is held
    int socket;
    int lock;
};

#define HOLD_NONE                                                                                                                  \
    { .socket = -1, .lock = -1 }

// Waits for others that hold it. One that the user has paused is left alone. 1: it does not run any more.
int hold_start(struct hold *hold, const struct target *target, struct err *err) MUST_CHECK;

// It goes on; that it does not is a warning. Done twice it is fine.
void hold_finish(struct hold *hold);

// The lock alone, as a descriptor, for who pauses it. ENOENT as errnum: it does not run.
int hold_lock(const struct home *home, const char *id, struct err *err) MUST_CHECK;

#endif
