// What the inspect commands share: each kind of thing is a document of docker's shape, shown whole or by a template.
#ifndef COFFER_CLI_COMMANDS_INSPECT_H
#define COFFER_CLI_COMMANDS_INSPECT_H

#include "cli/options.h"
#include "runtime/base/attr.h"
#include "runtime/engine/home.h"

#include <stdbool.h>

struct context;
struct err;
struct json_writer;
struct network;
struct store;

struct inspect_options {
    const char *format; // NULL: all
};

extern const struct option_row inspect_option_rows[];

// What is opened once for all that are looked at, when the first one needs it.
struct inspecting {
    struct context *context;
    struct home home;
    bool has_home;
    struct store *store;
    bool sizes; // containers: of their files
};

// Writes one document: an object without a name. ERR_NOT_FOUND: there is no such thing, and nothing was written.
typedef int inspect_add(struct inspecting *inspecting, const char *name, struct json_writer *writer, struct err *err);

inspect_add inspect_add_container, inspect_add_image, inspect_add_network, inspect_add_volume;

// All operands. What is there is shown, whatever becomes of the others; the first error is the command's.
int inspect_run(struct context *context, const struct inspect_options *options, inspect_add *add, bool sizes,
                struct err *err) MUST_CHECK;

// Opens the engine's home, and repairs what killed commands have left, once.
int inspect_home(struct inspecting *inspecting, struct err *err) MUST_CHECK;

#endif
