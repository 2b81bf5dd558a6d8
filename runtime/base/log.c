#include "runtime/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

// The one piece of process-wide state in base: a process has one place for its messages.
static struct {
    log_sink *sink;
    enum log_level most_detailed;
} output;

void log_set_sink(log_sink *sink, enum log_level most_detailed) {
    output.sink = sink;
    output.most_detailed = most_detailed;
}

bool log_debugs(void) {
    return output.sink && output.most_detailed >= LOG_LEVEL_DEBUG;
}

static void hand_over(enum log_level level, const char *format, va_list args) {
    if (!output.sink || level > output.most_detailed) {
        return;
    }
    char line[2048];
    vsnprintf(line, sizeof(line), format, args);
    output.sink(level, line);
}

void log_warn(const char *format, ...) {
    va_list args;
    va_start(args, format);
    hand_over(LOG_LEVEL_WARNING, format, args);
    va_end(args);
}

void log_info(const char *format, ...) {
    va_list args;
    va_start(args, format);
    hand_over(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...) {
    va_list args;
    va_start(args, format);
    hand_over(LOG_LEVEL_DEBUG, format, args);
    va_end(args);
}
