// Commands: rows that say what `coffer NAME` is. The row is the ONLY source for finding it, its help, completions and man page.
//
// The way of a call: main finds the row, lets options_parse() fill a copy of the row's request, counts the operands, makes out
// where state lives, and calls run(). CONTRIBUTING.md, "Add a command", walks through one.
#ifndef COFFER_CLI_COMMANDS_H
#define COFFER_CLI_COMMANDS_H

#include "cli/options.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct context;
struct err;

enum command_group {
    COMMAND_GROUP_COMMON,
    COMMAND_GROUP_CONTAINERS,
    COMMAND_GROUP_IMAGES,
    COMMAND_GROUP_OTHER,
    COMMAND_GROUP_COUNT
};

enum command_flag {
    COMMAND_OPTIONS_FIRST = 1, // the first operand ends the options: the rest is the container's command line
    COMMAND_STATELESS = 2,     // needs no state folders: they are neither looked for nor made
    COMMAND_HIDDEN = 4,        // in no list
    COMMAND_LOW_LEVEL = 8,     // it and all below it behave as runc: exit code 1 for errors, which go to --log too
};

enum { COMMAND_ANY_COUNT = -1 };

// A flag that others have for the same command, and why we do not.
struct unserved_flag {
    const char *name; // without the dashes
    const char *why;  // behind a colon: what to do instead, or what is missing
};

struct command {
    const char *name;
    const char *aliases;     // other names, with spaces between; NULL for none
    const char *usage;       // what stands behind the options: "IMAGE [COMMAND [ARG...]]"; NULL for nothing
    const char *summary;     // one line: begins with a verb and a capital, ends without a full stop
    const char *description; // paragraphs for help and man page, an empty line between them; NULL for none
    const char *examples;    // lines: a command, and perhaps lines beginning with # over it; NULL for none
    enum command_group group;
    unsigned flags;                 // enum command_flag, or-ed
    int min_operands, max_operands; // max may be COMMAND_ANY_COUNT
    enum complete_kind operands;    // what a shell offers for them
    int error_code;                 // the exit code when run() fails; 0: as is usual at its level

    // Rows for the request; of a command with sub-commands, for struct context.
    const struct option_row *options;
    size_t request_size;
    const void *request_defaults; // request_size bytes; NULL for zeroes
    const struct unserved_flag *unserved; // ends with {0}; NULL for none

    // Returns the exit code of the program, or -1 with err filled.
    int (*run)(struct context *context, struct err *err);

    const struct command *const *commands; // sub-commands, in the order help shows them, NULL behind the last; then no run
};

extern const struct command command_coffer; // the root: its options are the global ones
extern const struct command command_oci;    // the low level, which is the root when the program is called coffer-oci

// By name or alias among the sub-commands of parent; NULL if there is none.
const struct command *command_find(const struct command *parent, const char *name);

// The heading over a group in help.
const char *command_group_title(enum command_group group);

#endif
