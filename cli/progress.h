// Progress of work that takes a while: one line an item, on standard error.
//
// On a terminal the lines are redrawn in place, at most ten times a second; elsewhere an item is one plain line when it is done, so
// a log has no repetitions. All functions may be called from any thread. A NULL progress shows nothing.
//
//     AUTO_PROGRESS struct progress *progress = progress_create(STDERR_FILENO);
//     unsigned line = progress_add(progress, "layer 1a2b3c");
//     progress_set(progress, line, done_bytes, total_bytes);   // as often as wanted
//     progress_done(progress, line, "unpacked 12.3MB");
#ifndef COFFER_CLI_PROGRESS_H
#define COFFER_CLI_PROGRESS_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct buf;
struct progress;

struct progress *progress_create(int fd); // fd is borrowed
void progress_destroy(struct progress *progress);
void progress_cleanup(struct progress **progress);
#define AUTO_PROGRESS AUTO(progress_cleanup)

// Begins a line; its number is for the calls below. The label is copied.
unsigned progress_add(struct progress *progress, const char *label);

// So much is done. total_bytes 0 means that nobody knows how much there will be.
void progress_set(struct progress *progress, unsigned line, uint64_t done_bytes, uint64_t total_bytes);

// Ends a line with what came of it.
void progress_done(struct progress *progress, unsigned line, const char *result);

// A line as it is drawn, without its end, for a terminal of `width` columns. For tests.
void progress_format(struct buf *buf, const char *label, uint64_t done_bytes, uint64_t total_bytes, int width);

#endif
