// What commands print on standard output: tables of named fields, sizes and times for people, colour only where a terminal shows
// it.
//
// A list command fills a table and gets every form of it for nothing: aligned columns, --format json, --format TEMPLATE, --quiet.
//
//     enum { COLUMN_ID, COLUMN_NAME };
//     static const struct table_column columns[] = {
//         {"ID", "CONTAINER ID", TABLE_QUIET, .cut = 12}, {"Names", "NAMES", 0}, {0}};
//     AUTO_TABLE struct table table = {.columns = columns};
//     table_row(&table);
//     table_set(&table, COLUMN_ID, "%s", id); ...
//     return table_print(&table, &request->list, err);
//
// Cells may hold text from images and peers: control characters in them are made visible.
#ifndef COFFER_CLI_OUTPUT_H
#define COFFER_CLI_OUTPUT_H

#include "cli/options.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

// The options of every list command: a member of its request, and OPTION_ROWS(list_option_rows, struct X, list, struct
// list_options).
struct list_options {
    const char *format; // NULL, "table", "table TEMPLATE", "json" or TEMPLATE
    bool quiet;
    bool whole; // --no-trunc
};

extern const struct option_row list_option_rows[];
extern const struct option_row format_option_rows[]; // only --format

enum table_flag {
    TABLE_QUIET = 1,  // --quiet shows this column alone
    TABLE_HIDDEN = 2, // only for --format
    TABLE_RIGHT = 4,  // numbers: aligned at their end
};

struct table_column {
    const char *key;   // in JSON and templates, as docker names it: "CreatedAt"
    const char *title; // in the heading: "CREATED"
    unsigned flags;    // enum table_flag, or-ed
    unsigned cut;      // letters shown unless --no-trunc; 0 for all
};

// Zeroed but for its columns is an empty table.
struct table {
    const struct table_column *columns; // a zeroed one behind the last
    struct arena arena;
    const char **cells; // row by row; NULL for an empty cell
    size_t rows, room;
};

void table_finish(struct table *table);
#define AUTO_TABLE AUTO(table_finish)

// Begins the next row; table_set fills its cells.
void table_row(struct table *table);
void table_set(struct table *table, unsigned column, const char *format, ...) PRINTF_LIKE(3, 4);

// Adds the table to buf as the options want it. `colour` makes the heading bold. A template may name {{.Key}}, {{json .Key}} and
// {{json .}}; what else stands in it is an error that lists the keys.
int table_format(const struct table *table, const struct list_options *options, bool colour, struct buf *buf,
                 struct err *err) MUST_CHECK;

// The same to standard output.
int table_print(const struct table *table, const struct list_options *options, struct err *err) MUST_CHECK;

// Writes all of buf to standard output.
int output_write(const struct buf *buf, struct err *err) MUST_CHECK;

// The same for a JSON document that is to be passed on byte for byte. On a terminal what would move its cursor or turn the direction
// of writing is escaped as JSON has it.
int output_write_json(const struct buf *buf, struct err *err) MUST_CHECK;

// Whether fd is a terminal that may be coloured: NO_COLOR is not set, TERM is not "dumb".
bool output_has_colour(int fd);

// Columns of the terminal fd is; 80 when it is none.
int output_width(int fd);

// Adds a JSON string, quotes included. Bytes that are no UTF-8 become U+FFFD.
void output_add_json(struct buf *buf, const char *text);

enum { OUTPUT_HUMAN_SIZE = 32 };

// 12345678 -> "12.3MB": three digits, units of 1000, as docker shows sizes. -> "512MiB": four digits, units of 1024, as it shows
// memory.
const char *output_human_size(int64_t bytes, char text[OUTPUT_HUMAN_SIZE]);
const char *output_human_memory(int64_t bytes, char text[OUTPUT_HUMAN_SIZE]);

// 259200 -> "3 days", in docker's words: "Less than a second", "About an hour".
const char *output_human_duration(int64_t seconds, char text[OUTPUT_HUMAN_SIZE]);

#endif
