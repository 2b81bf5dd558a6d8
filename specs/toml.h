// TOML (toml.io, v1.0.0), as far as configuration files of container tools use it: tables and arrays of tables, bare, quoted and
// dotted keys, strings on one line, whole decimal numbers, booleans, arrays of strings, comments.
//
// Refused by name and line: strings over several lines, inline tables, arrays of anything else, fractions, dates.
//
// Everything is in the caller's arena, in the order of the text. Errors are ERR_INPUT and begin with the document's name and the
// line:
//     registries.conf: line 3: expected a value behind "location =", found the end of the line
#ifndef COFFER_SPECS_TOML_H
#define COFFER_SPECS_TOML_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

enum {
    TOML_MAX_BYTES = 1 << 20, // of a document
    TOML_MAX_VALUES = 8192,   // of a document, items of arrays included
    TOML_MAX_DEPTH = 8,       // names of a dotted key
};

enum toml_kind { TOML_STRING, TOML_BOOL, TOML_INTEGER, TOML_STRINGS, TOML_TABLE, TOML_TABLES };

struct toml_value {
    const char *key;
    unsigned line; // where it begins; of an array of tables, where the first one does
    enum toml_kind kind;
    const char *string;       // STRING
    bool boolean;             // BOOL
    int64_t integer;          // INTEGER
    const char **strings;     // STRINGS, NULL behind the last
    size_t count;             // STRINGS, TABLES
    struct toml_table *table; // TABLE; TABLES: the first, the others by next
    bool closed;              // the reader's own: its header has been seen, or it was made by a dotted key
    struct toml_value *next;
};

struct toml_table {
    struct toml_value *values;
    unsigned line;
    struct toml_table *next; // in an array of tables
};

// name: for messages. The text need not end in NUL.
int toml_parse(const char *name, const char *text, size_t size, struct arena *arena, struct toml_table **ret,
               struct err *err) MUST_CHECK;

const struct toml_value *toml_find(const struct toml_table *table, const char *key); // NULL: there is none

// "a string", "a table": for messages on what was found.
const char *toml_kind_name(enum toml_kind kind);

#endif
