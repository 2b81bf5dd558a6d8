// Printing what containers have logged: what was stdout to standard output, what was stderr to standard error, byte by byte as it
// was written; with times, and with names where there are several.
//
// The output is gathered and written at a flush, or when the other stream follows, so that both come in their order to a terminal.
#ifndef COFFER_CLI_LOG_PRINTER_H
#define COFFER_CLI_LOG_PRINTER_H

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/engine/log_record.h"

#include <stdbool.h>

struct err;

// A container whose records are printed.
struct log_source {
    const char *prefix;             // in front of each line; NULL: none
    bool in_line[LOG_STREAM_COUNT]; // the last piece did not end its line
};

// Zeroed but for its settings.
struct log_printer {
    bool timestamps;
    bool details; // the tag of lines that have one
    struct buf waiting;
    enum log_stream stream;  // of what is waiting
    struct log_source *open; // whose line, of this stream, has no end yet
    enum log_stream open_stream;
};

void log_printer_finish(struct log_printer *printer);
#define AUTO_LOG_PRINTER AUTO(log_printer_finish)

int log_printer_add(struct log_printer *printer, struct log_source *source, const struct log_record *record,
                    struct err *err) MUST_CHECK;
int log_printer_flush(struct log_printer *printer, struct err *err) MUST_CHECK;

#endif
