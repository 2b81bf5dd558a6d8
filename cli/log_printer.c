#include "cli/log_printer.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/timestamp.h"

#include <stddef.h>
#include <unistd.h>

enum { FLUSH_BYTES = 64 << 10 };

void log_printer_finish(struct log_printer *printer) {
    buf_finish(&printer->waiting);
}

int log_printer_flush(struct log_printer *printer, struct err *err) {
    static const struct {
        int fd;
        const char *name;
    } targets[] = {[LOG_STDOUT] = {STDOUT_FILENO, "standard output"}, [LOG_STDERR] = {STDERR_FILENO, "standard error"}};
    const struct buf *waiting = &printer->waiting;
    if (waiting->size > 0 && fd_write_all(targets[printer->stream].fd, waiting->data, waiting->size) < 0) {
        return err_sys(err, "write to %s", targets[printer->stream].name);
    }
    buf_clear(&printer->waiting);
    return 0;
}

// Where names stand in front of lines, a line that another container has not ended is ended for it, and begun again later.
static int end_other(struct log_printer *printer, struct log_source *source, enum log_stream stream, struct err *err) {
    struct log_source *open = printer->open;
    if (!open || !open->prefix || (open == source && printer->open_stream == stream)) {
        return 0;
    }
    printer->stream = printer->open_stream;
    buf_add_char(&printer->waiting, '\n');
    open->in_line[printer->open_stream] = false;
    printer->open = NULL;
    return printer->stream != stream ? log_printer_flush(printer, err) : 0;
}

static void begin_line(struct log_printer *printer, const struct log_source *source, const struct log_record *record) {
    char time[TIMESTAMP_SIZE];
    struct buf *waiting = &printer->waiting;
    if (source->prefix) {
        buf_add_string(waiting, source->prefix);
    }
    if (printer->timestamps) {
        buf_add_format(waiting, "%s ", timestamp_format(record->time_ns, time));
    }
    if (printer->details && record->tag) {
        buf_add_format(waiting, "tag=%s ", record->tag);
    }
}

int log_printer_add(struct log_printer *printer, struct log_source *source, const struct log_record *record, struct err *err) {
    enum log_stream stream = record->stream;
    if (end_other(printer, source, stream, err) < 0) {
        return -1;
    }
    if (stream != printer->stream || printer->waiting.size >= FLUSH_BYTES) {
        if (log_printer_flush(printer, err) < 0) {
            return -1;
        }
        printer->stream = stream;
    }
    if (!source->in_line[stream]) {
        begin_line(printer, source, record);
    }
    buf_add(&printer->waiting, record->text, record->size);
    if (record->ends) {
        buf_add_char(&printer->waiting, '\n');
    }
    source->in_line[stream] = !record->ends;
    printer->open = record->ends ? NULL : source;
    printer->open_stream = stream;
    return 0;
}
