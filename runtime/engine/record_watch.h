// Waiting for the end of a container without asking again and again: whoever runs it holds the lock of its folder (record.h), and
// the kernel lets go of that however it ends.
//
// Theory of operation. No event tells that a flock(2) is let go, but one tells that a descriptor of the folder was closed, and it
// is by that that the lock goes. The kernel tells first and lets go a moment later (__fput of Linux 6.12: fsnotify_close, then
// locks_remove_file), so after such an event the lock is tried a few times more, less and less often, before the next is waited
// for.
#ifndef COFFER_ENGINE_RECORD_WATCH_H
#define COFFER_ENGINE_RECORD_WATCH_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct folder_event;
struct home;

struct record_watch {
    int dir_fd;
    int folder;        // its number among the events
    bool was_closed;   // a descriptor of it, since the lock was last tried
    int again_ms;      // poll no longer than so before record_watch_has_ended() is called again; -1: for as long as you like
    int64_t closed_ms; // clock_now_ms() of the last event, while it counts; 0: none
};

// events_fd: of folder_events_open(), whose events the caller polls and hands to record_watch_notice().
int record_watch_open(const struct home *home, const char *id, int events_fd, struct record_watch *ret, struct err *err) MUST_CHECK;
void record_watch_finish(struct record_watch *watch);
#define AUTO_RECORD_WATCH AUTO(record_watch_finish)

void record_watch_notice(struct record_watch *watch, const struct folder_event *event);

// Whether nobody runs the container. Sets again_ms.
bool record_watch_has_ended(struct record_watch *watch);

#endif
