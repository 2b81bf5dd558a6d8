#include "cli/live_table.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <string.h>
#include <sys/ioctl.h>

// The bytes of a line that fit: sequences of colour take no place, and a letter of UTF-8 takes one.
static size_t fitting(const char *line, size_t length, unsigned columns) {
    unsigned used = 0;
    size_t at = 0;
    while (at < length) {
        if (line[at] == '\033') {
            size_t size = strcspn(line + at, "m");
            at += size + 1 <= length - at ? size + 1 : length - at;
            continue;
        }
        bool begins = (line[at] & 0xc0) != 0x80;
        if (begins && used == columns) {
            break;
        }
        used += begins;
        at++;
    }
    return at;
}

void live_table_format(struct live_table *table, const struct buf *text, unsigned columns, unsigned rows, struct buf *out) {
    if (table->lines > 0) {
        buf_add_format(out, "\033[%uA\r", table->lines);
    }
    table->lines = 0;
    for (const char *at = buf_string(text); *at && table->lines + 1 < rows;) {
        size_t length = strcspn(at, "\n"), shown = fitting(at, length, columns);
        buf_add(out, at, shown);
        buf_add_string(out, shown < length ? "\033[0m\033[K\n" : "\033[K\n");
        at += length + (at[length] == '\n');
        table->lines++;
    }
    buf_add_string(out, "\033[J");
}

int live_table_show(struct live_table *table, const struct buf *text, struct err *err) {
    struct winsize size = {.ws_col = 80, .ws_row = 24};
    AUTO_BUF struct buf out = {0};
    if (table->in_place) {
        (void)ioctl(table->fd, TIOCGWINSZ, &size);
        live_table_format(table, text, size.ws_col > 0 ? size.ws_col : 80, size.ws_row > 1 ? size.ws_row : 24, &out);
    } else {
        buf_add(&out, text->data, text->size);
    }
    return fd_write_all(table->fd, out.data, out.size) < 0 ? err_sys(err, "write to standard output") : 0;
}
