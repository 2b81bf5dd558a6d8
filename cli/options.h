// Options: rows that say which flag fills which member of a command's request.
//
// A row is the ONLY source for parsing, --help, shell completions and the OPTIONS part of the man page.
//
//     struct images_request { bool all; struct strv filters; struct opt_i64 limit; };
//     static const struct option_row images_options[] = {
//         OPTION_FLAG("all", 'a', struct images_request, all, "Show the layers of builds too"),
//         OPTION_LIST("filter", 'f', "KEY=VALUE", struct images_request, filters, "Show only what matches"),
//         OPTION_GROUP("Output"),
//         OPTION_INT("limit", 0, "N", 1, 1000, struct images_request, limit, "Show at most so many"),
//         {0},
//     };
//
// Written as GNU and docker have it: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -n=VALUE, flags in one word (-it),
// --flag=false; what stands behind -- is no option. Strings in a request are borrowed from the words, lists own copies
// (options_finish).
// The macros check at compile time that a row's kind fits the type of the member it fills.
#ifndef COFFER_CLI_OPTIONS_H
#define COFFER_CLI_OPTIONS_H

#include "runtime/base/attr.h"
#include "runtime/base/strv.h"
#include "specs/values.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum option_kind {
    OPTION_KIND_NONE,     // ends a table
    OPTION_KIND_GROUP,    // heading in help for the rows behind it
    OPTION_KIND_ROWS,     // another table, for a struct within the request
    OPTION_KIND_FLAG,     // bool
    OPTION_KIND_OPT_FLAG, // struct opt_bool: whether it was given counts too
    OPTION_KIND_STRING,   // const char *, NULL while not given; the last one given counts
    OPTION_KIND_LIST,     // struct strv, in the order given
    OPTION_KIND_BYTES,    // struct opt_i64, units of 1024 (quantity_bytes)
    OPTION_KIND_CPUS,     // struct opt_i64, 10^-9 CPUs from a decimal
    OPTION_KIND_INT,      // struct opt_i64, from min to max
    OPTION_KIND_DURATION, // struct opt_i64, milliseconds (quantity_duration_ms)
    OPTION_KIND_CHOICE,   // int: index into choices; its default stands in the request's defaults
};

// What a shell offers for a value.
enum complete_kind {
    COMPLETE_NONE,
    COMPLETE_FILE,
    COMPLETE_DIRECTORY,
    COMPLETE_IMAGE,
    COMPLETE_CONTAINER,
    COMPLETE_NETWORK,
    COMPLETE_COMMAND,
};

struct option_row {
    const char *name; // without the dashes
    const char *arg;  // its value's name in help; NULL for flags
    const char *help; // begins with a capital, ends without a full stop
    union {
        const struct option_row *rows; // ROWS
        const char *const *choices;    // CHOICE: names, NULL behind the last
        struct {
            int64_t min, max; // INT, BYTES: both 0 means 0 to INT64_MAX
        };
    };
    uint32_t offset;  // of the member, in bytes
    uint8_t kind;     // enum option_kind
    uint8_t complete; // enum complete_kind
    char letter;      // short name, 0 for none
    bool hidden;      // parsed, but not shown
};

// offsetof, for a member of this type and no other.
#define OPTION_MEMBER(type, member, member_type)                                                                                   \
    ((uint32_t)(offsetof(type, member) +                                                                                           \
                0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)0)->member), member_type) ? 1 : -1])))
#define OPTION_ROW(row_kind, row_name, row_letter, row_arg, type, member, member_type, row_help)                                   \
    .kind = OPTION_KIND_##row_kind, .name = (row_name), .letter = (row_letter), .arg = (row_arg),                                  \
    .offset = OPTION_MEMBER(type, member, member_type), .help = (row_help)

// All take further members at their end: OPTION_STRING(..., "Read it from a file", .complete = COMPLETE_FILE).
#define OPTION_FLAG(name, letter, type, member, help, ...)                                                                         \
    { OPTION_ROW(FLAG, name, letter, NULL, type, member, bool, help), ##__VA_ARGS__ }
#define OPTION_OPT_FLAG(name, letter, type, member, help, ...)                                                                     \
    { OPTION_ROW(OPT_FLAG, name, letter, NULL, type, member, struct opt_bool, help), ##__VA_ARGS__ }
#define OPTION_STRING(name, letter, arg, type, member, help, ...)                                                                  \
    { OPTION_ROW(STRING, name, letter, arg, type, member, const char *, help), ##__VA_ARGS__ }
#define OPTION_LIST(name, letter, arg, type, member, help, ...)                                                                    \
    { OPTION_ROW(LIST, name, letter, arg, type, member, struct strv, help), ##__VA_ARGS__ }
#define OPTION_BYTES(name, letter, arg, type, member, help, ...)                                                                   \
    { OPTION_ROW(BYTES, name, letter, arg, type, member, struct opt_i64, help), ##__VA_ARGS__ }
#define OPTION_CPUS(name, letter, arg, type, member, help, ...)                                                                    \
    { OPTION_ROW(CPUS, name, letter, arg, type, member, struct opt_i64, help), ##__VA_ARGS__ }
#define OPTION_DURATION(name, letter, arg, type, member, help, ...)                                                                \
    { OPTION_ROW(DURATION, name, letter, arg, type, member, struct opt_i64, help), ##__VA_ARGS__ }
#define OPTION_INT(name, letter, arg, least, most, type, member, help, ...)                                                        \
    { OPTION_ROW(INT, name, letter, arg, type, member, struct opt_i64, help), .min = (least), .max = (most), ##__VA_ARGS__ }
#define OPTION_CHOICE(name, letter, arg, choice_names, type, member, help, ...)                                                    \
    { OPTION_ROW(CHOICE, name, letter, arg, type, member, int, help), .choices = (choice_names), ##__VA_ARGS__ }
#define OPTION_GROUP(heading)                                                                                                      \
    { .kind = OPTION_KIND_GROUP, .name = (heading) }
// The rows of a struct that is a member of this request: options that several commands share are written once.
#define OPTION_ROWS(sub_rows, type, member, member_type)                                                                           \
    { .kind = OPTION_KIND_ROWS, .rows = (sub_rows), .offset = OPTION_MEMBER(type, member, member_type) }

enum { OPTION_DEPTH = 4 }; // of tables within tables

// Goes through a table and the tables within it: `struct option_walk walk = {rows}; while (option_next(&walk)) { walk.row ... }`
struct option_walk {
    const struct option_row *next;
    const struct option_row *row; // where it stands
    const char *group;            // the heading over it, NULL for none
    uint32_t offset;              // of its member in the whole request
    uint32_t base;
    unsigned depth;
    struct {
        const struct option_row *next;
        uint32_t base;
    } outer[OPTION_DEPTH];
};

bool option_next(struct option_walk *walk);

// The words of a command line, read once from front to back.
struct option_words {
    char **words; // NULL behind the last; on return the operands, in order, NULL behind the last
    int count;
    bool options_first;  // the first operand ends the options: what follows is another program's command line
    bool help;           // set on return when --help (or -h, if no row has that letter) was met; the rest was not read
    const char *unknown; // set with the error when it is a long flag that no row has: its word, dashes and value included
};

// Fills the request from the words. Errors are of kind ERR_INPUT and name the flag, what was given and what was expected.
int options_parse(const struct option_row *rows, void *request, struct option_words *words, struct err *err) MUST_CHECK;

// The row that a word such as --memory=5m names, NULL if none does.
const struct option_row *option_named(const struct option_row *rows, const char *word);

// Frees the lists of a request.
void options_finish(const struct option_row *rows, void *request);

#endif
