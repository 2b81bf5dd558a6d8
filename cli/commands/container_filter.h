// Filters of ps and container prune, with docker's meanings: KEY=VALUE, several of one key meaning any of them, but all of label.
#ifndef COFFER_CLI_COMMANDS_CONTAINER_FILTER_H
#define COFFER_CLI_COMMANDS_CONTAINER_FILTER_H

#include "runtime/base/attr.h"
#include "runtime/engine/view.h"

#include <stdbool.h>

struct context;
struct err;
struct home;
struct strv;

enum container_filter_set { CONTAINER_FILTERS_PS, CONTAINER_FILTERS_PRUNE };

struct container_filter;

struct container_filters {
    const struct container_filter **kinds; // of each word
    struct container_filter_value *values;
    size_t count;
    bool all; // containers that do not run are asked for, too
};

// Checks the words, and looks up what they name. All lives in the context's arena.
int container_filters_parse(struct context *context, const struct home *home, const struct strv *words,
                            enum container_filter_set set, struct container_filters *ret, struct err *err) MUST_CHECK;

bool container_passes(const struct home *home, const struct view *view, const struct container_filters *filters);

#endif
