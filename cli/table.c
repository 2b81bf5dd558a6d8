// Tables of named fields: see output.h.
#include "cli/messages.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct option_row format_option_rows[] = {
    OPTION_STRING("format", 0, "FORM", struct list_options, format,
                  "Print as json, table, or by a template of the columns, such as '{{json .}}'"),
    {0},
};

const struct option_row list_option_rows[] = {
    OPTION_STRING("format", 0, "FORM", struct list_options, format,
                  "Print as json, table, or by a template of the columns, such as '{{json .}}'"),
    OPTION_FLAG("no-trunc", 0, struct list_options, whole, "Do not shorten what is printed"),
    OPTION_FLAG("quiet", 'q', struct list_options, quiet, "Print only names or ids"),
    {0},
};

static unsigned count_columns(const struct table *table) {
    unsigned count = 0;
    while (table->columns[count].key) {
        count++;
    }
    return count;
}

void table_finish(struct table *table) {
    arena_finish(&table->arena);
    mem_cleanup(&table->cells);
    table->rows = table->room = 0;
}

void table_row(struct table *table) {
    unsigned columns = count_columns(table);
    if (table->rows == table->room) {
        table->room = table->room ? table->room * 2 : 16;
        table->cells = mem_resize(table->cells, table->room * columns, sizeof(*table->cells));
    }
    memset(table->cells + table->rows * columns, 0, columns * sizeof(*table->cells));
    table->rows++;
}

void table_set(struct table *table, unsigned column, const char *format, ...) {
    unsigned columns = count_columns(table);
    assert(table->rows > 0 && column < columns);
    AUTO_FREE char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    table->cells[(table->rows - 1) * columns + column] = arena_copy_string(&table->arena, length < 0 ? "" : text);
}

// What a cell shows: never NULL, cut if its column is, safe for a terminal. Lives in room until the next call.
static const char *cell_text(const struct table *table, size_t row, unsigned column, const struct list_options *options,
                             struct buf *room) {
    const char *text = table->cells[row * count_columns(table) + column];
    buf_clear(room);
    messages_add_visible(room, text ? text : "");
    unsigned cut = table->columns[column].cut;
    if (cut && !options->whole && room->size > cut) {
        room->data[cut] = '\0'; // cut columns are ASCII: ids and digests
    }
    return buf_string(room);
}

// Letters, not bytes: close enough to columns for names in Latin, Greek and Cyrillic script.
static int text_width(const char *text) {
    int width = 0;
    for (; *text; text++) {
        width += (*text & 0xc0) != 0x80;
    }
    return width;
}

// A template's pieces: plain text, or what stands between {{ and }}.
enum piece_kind { PIECE_TEXT, PIECE_FIELD, PIECE_JSON_FIELD, PIECE_JSON_ROW };

struct piece {
    enum piece_kind kind;
    unsigned column;
    const char *text;
    size_t length;
};

static int unknown_field(const struct table *table, const char *what, size_t length, struct err *err) {
    AUTO_BUF struct buf keys = {0};
    for (const struct table_column *column = table->columns; column->key; column++) {
        buf_add_format(&keys, "%s.%s", column == table->columns ? "" : ", ", column->key);
    }
    return err_set(err, ERR_INPUT, "--format: expected one of %s between {{ and }}, found \"%.*s\"", buf_string(&keys), (int)length,
                   what);
}

// Reads the piece at *template and moves on behind it; *template is "" after the last.
static int next_piece(const struct table *table, const char **template, struct piece *ret, struct err *err) {
    const char *text = *template, *open = strstr(text, "{{");
    if (open != text) {
        size_t length = open ? (size_t)(open - text) : strlen(text);
        *ret = (struct piece){.kind = PIECE_TEXT, .text = text, .length = length};
        *template = text + length;
        return 0;
    }
    const char *close = strstr(text, "}}");
    if (!close) {
        return err_set(err, ERR_INPUT, "--format: expected }} behind \"%s\"", text);
    }
    *template = close + 2;
    text += 2 + strspn(text + 2, " ");
    while (close > text && close[-1] == ' ') {
        close--;
    }
    enum piece_kind kind = PIECE_FIELD;
    const char *field = text;
    if (strncmp(field, "json ", 5) == 0) {
        kind = PIECE_JSON_FIELD;
        field += 5 + strspn(field + 5, " ");
    }
    size_t length = (size_t)(close - field);
    if (kind == PIECE_JSON_FIELD && length == 1 && field[0] == '.') {
        *ret = (struct piece){.kind = PIECE_JSON_ROW};
        return 0;
    }
    for (unsigned i = 0; length > 1 && field[0] == '.' && table->columns[i].key; i++) {
        if (strlen(table->columns[i].key) == length - 1 && memcmp(table->columns[i].key, field + 1, length - 1) == 0) {
            *ret = (struct piece){.kind = kind, .column = i};
            return 0;
        }
    }
    return unknown_field(table, text, (size_t)(close - text), err);
}

static void add_json_row(const struct table *table, size_t row, const struct list_options *options, struct buf *buf) {
    AUTO_BUF struct buf room = {0};
    buf_add_char(buf, '{');
    for (unsigned i = 0; table->columns[i].key; i++) {
        buf_add_format(buf, "%s\"%s\":", i ? "," : "", table->columns[i].key);
        output_add_json(buf, cell_text(table, row, i, options, &room));
    }
    buf_add_char(buf, '}');
}

// \t and \n as a shell's single quotes leave them.
static void add_unescaped(struct buf *buf, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char next = text[i] == '\\' && i + 1 < length ? text[i + 1] : '\0';
        if (next == 't' || next == 'n') {
            buf_add_char(buf, next == 't' ? '\t' : '\n');
            i++;
        } else {
            buf_add_char(buf, text[i]);
        }
    }
}

// One row by the template; row == table->rows stands for the heading.
static int add_by_template(const struct table *table, size_t row, const char *template, const struct list_options *options,
                           struct buf *buf, struct err *err) {
    AUTO_BUF struct buf room = {0};
    while (*template) {
        struct piece piece = {0};
        if (next_piece(table, &template, &piece, err) < 0) {
            return -1;
        }
        if (piece.kind == PIECE_TEXT) {
            add_unescaped(buf, piece.text, piece.length);
        } else if (row == table->rows) {
            buf_add_string(buf, piece.kind == PIECE_JSON_ROW ? "ROW" : table->columns[piece.column].title);
        } else if (piece.kind == PIECE_JSON_ROW) {
            add_json_row(table, row, options, buf);
        } else if (piece.kind == PIECE_JSON_FIELD) {
            output_add_json(buf, cell_text(table, row, piece.column, options, &room));
        } else {
            buf_add_string(buf, cell_text(table, row, piece.column, options, &room));
        }
    }
    buf_add_char(buf, '\n');
    return 0;
}

// Adds text, in which tabs part the columns, to buf with the columns aligned, three blanks apart. Lines in `text` end in \n.
static void add_aligned(struct buf *buf, const char *text, bool colour, const unsigned *flags, unsigned flag_count) {
    enum { MOST_COLUMNS = 64, GAP = 3 };
    int widths[MOST_COLUMNS] = {0};
    AUTO_BUF struct buf cell = {0};
    for (int measuring = 1; measuring >= 0; measuring--) {
        bool heading = true;
        for (const char *at = text; *at; heading = false) {
            if (!measuring && heading && colour) {
                buf_add_string(buf, "\033[1m");
            }
            for (unsigned column = 0; *at != '\n'; column++) {
                size_t length = strcspn(at, "\t\n");
                bool last = at[length] == '\n';
                buf_clear(&cell);
                buf_add(&cell, at, length);
                int width = text_width(buf_string(&cell)), *widest = &widths[column < MOST_COLUMNS ? column : MOST_COLUMNS - 1];
                int padding = *widest - width;
                if (measuring) {
                    *widest = width > *widest ? width : *widest;
                } else if (column < flag_count && flags[column] & TABLE_RIGHT) {
                    buf_add_format(buf, "%*s%s%*s", padding, "", buf_string(&cell), last ? 0 : GAP, "");
                } else {
                    buf_add_format(buf, "%s%*s", buf_string(&cell), last ? 0 : padding + GAP, "");
                }
                at += length + !last;
            }
            at++;
            if (!measuring) {
                buf_add_string(buf, heading && colour ? "\033[0m\n" : "\n");
            }
        }
    }
}

static void format_table(const struct table *table, const struct list_options *options, bool colour, struct buf *buf) {
    enum { MOST_FLAGS = 64 };
    unsigned flags[MOST_FLAGS], shown = 0;
    AUTO_BUF struct buf text = {0}, room = {0};
    for (size_t line = 0; line <= table->rows; line++) {
        bool first = true;
        for (unsigned i = 0; table->columns[i].key; i++) {
            if (table->columns[i].flags & TABLE_HIDDEN) {
                continue;
            }
            if (!first) {
                buf_add_char(&text, '\t');
            }
            first = false;
            buf_add_string(&text, line == 0 ? table->columns[i].title : cell_text(table, line - 1, i, options, &room));
            if (line == 0 && shown < MOST_FLAGS) {
                flags[shown++] = table->columns[i].flags;
            }
        }
        buf_add_char(&text, '\n');
    }
    add_aligned(buf, buf_string(&text), colour, flags, shown);
}

static int format_by_template(const struct table *table, const char *template, bool aligned, const struct list_options *options,
                              bool colour, struct buf *buf, struct err *err) {
    AUTO_BUF struct buf text = {0};
    // The heading is made in any case, so that a wrong template is an error when there are no rows too.
    if (add_by_template(table, table->rows, template, options, &text, err) < 0) {
        return -1;
    }
    if (!aligned) {
        buf_clear(&text);
    }
    for (size_t row = 0; row < table->rows; row++) {
        if (add_by_template(table, row, template, options, &text, err) < 0) {
            return -1;
        }
    }
    if (aligned) {
        add_aligned(buf, buf_string(&text), colour, NULL, 0);
    } else {
        buf_add(buf, text.data, text.size);
    }
    return 0;
}

int table_format(const struct table *table, const struct list_options *options, bool colour, struct buf *buf, struct err *err) {
    const char *format = options->format;
    if (!format && options->quiet) {
        AUTO_BUF struct buf room = {0};
        for (size_t row = 0; row < table->rows; row++) {
            for (unsigned i = 0; table->columns[i].key; i++) {
                if (table->columns[i].flags & TABLE_QUIET) {
                    buf_add_format(buf, "%s\n", cell_text(table, row, i, options, &room));
                }
            }
        }
        return 0;
    }
    if (!format || strcmp(format, "table") == 0) {
        format_table(table, options, colour, buf);
        return 0;
    }
    if (strcmp(format, "json") == 0) {
        for (size_t row = 0; row < table->rows; row++) {
            add_json_row(table, row, options, buf);
            buf_add_char(buf, '\n');
        }
        return 0;
    }
    bool aligned = strncmp(format, "table ", 6) == 0;
    return format_by_template(table, aligned ? format + 6 : format, aligned, options, colour, buf, err);
}

int table_print(const struct table *table, const struct list_options *options, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    return table_format(table, options, output_has_colour(STDOUT_FILENO), &buf, err) < 0 ? -1 : output_write(&buf, err);
}
