// Reading a container's log: from its files' end or beginning, and on while it grows, across files that give way to others.
//
// A reader holds the files that it has yet to read open, so that none is missed when they are renamed or removed meanwhile. To follow, its
// caller polls for the events of folders (runtime/kernel/folder_events.h), lets the reader take notice of them, and reads again: nothing
// here sleeps. Whatever the files hold, a read ends: lines that are none are passed over and counted.
#ifndef COFFER_ENGINE_LOG_READER_H
#define COFFER_ENGINE_LOG_READER_H

#include "runtime/base/attr.h"
#include "runtime/engine/log_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct folder_event;
struct log_reader;

enum { LOG_TAIL_ALL = -1 };

struct log_read_request {
    int64_t tail;               // so many lines from the end, of those within the times; LOG_TAIL_ALL
    int64_t since_ns, until_ns; // nanoseconds since 1970, both within; INT64_MIN and INT64_MAX for all
    bool follow;                // else what is there when the reader is opened is the end
    int events_fd;              // of folder_events_open(), borrowed while following
};

// Opens the log of a container by its folder, or by the path that its log options have. A log without any file is ERR_NOT_FOUND.
// The reader is the caller's; NULL with err filled.
struct log_reader *log_reader_open(int container_fd, const char *path, const struct log_read_request *request,
                                   struct err *err) MUST_CHECK;
void log_reader_destroy(struct log_reader *reader);
void log_reader_cleanup(struct log_reader **reader);
#define AUTO_LOG_READER AUTO(log_reader_cleanup)

// Is given one record after the other; its text lives until it returns. -1 with err filled ends the reading.
typedef int log_reader_fn(void *context, const struct log_record *record, struct err *err);

// Hands over what there is. Pieces of a line that was longer than one piece, or had no end when it was written, come one by one;
// where another stream's line lies between the pieces of the first of the last lines, those before it are left out. Returns 1 when
// there may be more already: it has read for long enough, others may want to. 0: all there was.
int log_reader_read(struct log_reader *reader, log_reader_fn *take, void *context, struct err *err) MUST_CHECK;

// Whether more may come: it follows.
bool log_reader_follows(const struct log_reader *reader);

// Takes notice of an event, if it is one of the log's folder, of which the reader has to know before it reads again.
void log_reader_notice(struct log_reader *reader, const struct folder_event *event);

// Lines that were no records.
size_t log_reader_damaged(const struct log_reader *reader);

#endif
