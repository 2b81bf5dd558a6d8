// event_log: what happens to containers, images, networks and volumes, as whoever does it writes it down: what `coffer events`
// tells.
//
// Theory of operation. There is no daemon that could tell, so there is one file, .events in the store's run-time folder (home.h), a
// line of JSON an event. A line is added by one write(2) with O_APPEND, which the kernel does as a whole or not at all; nothing is
// locked, nothing is synced, and the file goes with the host's run-time state at a reboot. Who follows it is told by inotify(7).
//
// The file is one and the same as long as it lives, so that nobody holds a descriptor of one that is no longer written: what is too
// old is punched out of it in front (fallocate(2)), and its size only grows. Where the file system cannot do that it is emptied
// when it is much too large.
//
// That an event cannot be written down keeps nobody from what he does: it is told as information, no more.
#ifndef COFFER_ENGINE_EVENT_LOG_H
#define COFFER_ENGINE_EVENT_LOG_H

#include "runtime/base/attr.h"
#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct engine;
struct err;
struct home;
struct record;
struct strv;

enum {
    EVENT_KEPT_BYTES = 1 << 20, // at least, of the latest
    EVENT_MAX_LINE = 16 << 10,  // longer ones lose their labels
};

enum event_type { EVENT_CONTAINER, EVENT_IMAGE, EVENT_NETWORK, EVENT_VOLUME, EVENT_TYPE_COUNT };

const char *event_type_name(enum event_type type); // "container"

struct event {
    enum event_type type;
    const char *action; // "start", "exec_start: sh"
    const char *id;
    const struct text_pair *attributes;
    size_t attributes_count;
    const struct strv *labels; // NAME=VALUE: attributes, too; NULL: none
};

// --- for who does something ---

struct event_log {
    int fd;     // -1: not opened yet
    bool trims; // looks how large it is: who makes or starts a container does, which is often enough
};
#define EVENT_LOG_CLOSED                                                                                                           \
    { .fd = -1 }

void event_log_finish(struct event_log *log);
#define AUTO_EVENT_LOG AUTO(event_log_finish)

// Adds events, all by one write: opens the log by the folder of run-time state where it is not open.
void event_log_add(struct event_log *log, int live_fd, const struct event *events, size_t count);

// One of a container, with its name and image among the attributes, and one more where `name` is not NULL.
struct event_log_container {
    const struct record *record;
    const struct strv *labels; // NULL: as its record has them
    const char *name, *value;
};
void event_log_add_container(struct event_log *log, const struct home *home, const struct event_log_container *container,
                             const char *action);

// The same, once: opens the log and closes it.
void events_add(int live_fd, const struct event *event);
void events_add_container(const struct home *home, const struct event_log_container *container, const char *action);

// For who has no home open: commands on images.
void events_add_elsewhere(const struct engine *engine, const struct event *event);

// --- for who listens ---

struct event_seen {
    int64_t time_ns; // since 1970
    uint32_t type;   // enum event_type
    const char *action;
    const char *id;
    struct text_pair *attributes;
    size_t attributes_count;
};

struct event_reader;

// From the oldest that is kept, or only what comes from now on.
struct event_reader *event_reader_open(const struct home *home, bool from_oldest, struct err *err) MUST_CHECK;
void event_reader_close(struct event_reader *reader); // NULL is fine

// 1 and the next event, in the arena; 0: there is none yet.
int event_reader_next(struct event_reader *reader, struct arena *arena, struct event_seen *ret, struct err *err) MUST_CHECK;

// The value of an attribute, NULL where it has none.
const char *event_attribute(const struct event_seen *event, const char *name);

#endif
