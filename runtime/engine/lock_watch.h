// lock_watch: waiting for what holds a container's lock to become a monitor, or to let go, without asking again and again.
//
// Theory of operation. As record_watch.h has it: a lock goes when the descriptor that holds it is closed, of which inotify(7) tells just
// before; so behind an event it is asked for again soon, and less and less often. A monitor's socket comes into being in the container's
// run-time folder. The lock is asked for on a descriptor that stays open, as closing one would be an event of our own making.
#ifndef COFFER_ENGINE_LOCK_WATCH_H
#define COFFER_ENGINE_LOCK_WATCH_H

#include "runtime/base/attr.h"
#include "runtime/engine/record.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct home;

struct lock_watch {
    int dir_fd;    // the container's folder; may hold its lock
    int events_fd; // -1: not watched yet
    int64_t until_ms;
    int nap_ms;
};

// Opens the container's folder, not to be waited for longer than so. errnum ENOENT: there is none.
int lock_watch_open(const struct home *home, const char *id, int64_t patience_ms, struct lock_watch *ret, struct err *err) MUST_CHECK;
void lock_watch_finish(struct lock_watch *watch);
#define AUTO_LOCK_WATCH AUTO(lock_watch_finish)

// Whether somebody has the lock.
bool lock_watch_is_held(const struct lock_watch *watch);

// Takes the lock; false with errno: EWOULDBLOCK, ENOENT when the container was removed.
bool lock_watch_take(const struct lock_watch *watch);

// Waits until it is worth looking again; false when that has taken too long. The first call returns at once: what happened before the
// folders were watched has to be looked at.
bool lock_watch_wait(struct lock_watch *watch, const struct home *home, const char *id);

#endif
