// The log of a container, as its monitor writes it: bytes of its output in, lines of a file or messages to the journal out.
//
// Theory of operation. The monitor reads what its container's pipes or terminal have and hands it over as it comes, cut anywhere.
// Whole lines are written at once, all of one call by one write(2) and no copy but that into the batch. A line that has no end yet
// is kept back, for the rest of it mostly comes with the next read; when nothing has come for LOG_SETTLE_MS the monitor calls
// log_file_settle(), and a piece is written that its reader shows without a newline: so a prompt is seen while it waits for its
// answer.
//
//     timeout_ms = log_file_is_pending(log) ? LOG_SETTLE_MS : -1;
//     if (epoll_wait(..., timeout_ms) == 0) { log_file_settle(log); }
//
// Nothing here fails once the log is open, waits longer than a write(2) does, or ends the container: what a full or broken disk
// does not take is dropped and counted, and when there is room again a line of stderr says how much is missing. Nothing is synced:
// what a crash of the host leaves of the last line is ended when the log is opened again. SIGXFSZ must be ignored by the caller.
#ifndef COFFER_ENGINE_LOG_FILE_H
#define COFFER_ENGINE_LOG_FILE_H

#include "runtime/base/attr.h"
#include "runtime/engine/log_record.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct log_file;
struct log_options;
struct log_owner;

enum {
    LOG_SETTLE_MS = 10,          // how long the rest of a line may take
    LOG_BATCH_BYTES = 108 << 10, // most that is kept for one write(2), a record more or less: what 64 KiB of short lines become
};

// Opens the log that the options ask for, to append. dir_fd, the container's folder, and the owner are not needed afterwards; the
// options' path must outlive the log. journal: the journal's socket, NULL: the host's. The log is the caller's; NULL with err
// filled.
struct log_file *log_file_open(int dir_fd, const struct log_options *options, const struct log_owner *owner, const char *journal,
                               struct err *err) MUST_CHECK;

// Takes what was read of a stream.
void log_file_write(struct log_file *log, enum log_stream stream, const void *data, size_t size);

// Whether there is the beginning of a line that log_file_settle() would write.
bool log_file_is_pending(const struct log_file *log);
void log_file_settle(struct log_file *log);

// Gives back the memory that nothing waits in, for while nothing comes.
void log_file_trim(struct log_file *log);

// Writes what there is, and what was lost, and closes the log. NULL is fine.
void log_file_destroy(struct log_file *log);
void log_file_cleanup(struct log_file **log);
#define AUTO_LOG_FILE AUTO(log_file_cleanup)

#endif
