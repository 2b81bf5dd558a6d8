// Messages that are not errors: what went another way than asked, and what helps when looking for a fault.
// The rooms only hand the line over; where it goes (standard error, a log file, JSON) is the sink's affair, set once by main.
#ifndef COFFER_BASE_LOG_H
#define COFFER_BASE_LOG_H

#include "runtime/base/attr.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

typedef void log_sink(enum log_level level, const char *line); // a function type: C has no other way to name one

// Without a sink all messages are dropped.
void log_set_sink(log_sink *sink, enum log_level most_detailed);

// Whether anybody reads what log_debug() writes: ask before what has to be found out or counted for a message alone.
bool log_debugs(void);

void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
