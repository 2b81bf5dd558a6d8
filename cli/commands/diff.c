#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/engine/changes.h"

#include <stddef.h>

struct diff_request {
    struct list_options list;
};

enum { COLUMN_KIND, COLUMN_PATH };

static const struct table_column columns[] = {[COLUMN_KIND] = {"Kind", "KIND", 0}, [COLUMN_PATH] = {"Path", "PATH", 0}, {0}};

static int run(struct context *context, struct err *err) {
    const struct diff_request *request = context->request;
    const struct engine engine = engine_of(context);
    struct list_options list = request->list;
    AUTO_TABLE struct table table = {.columns = columns};
    struct change *changes;
    size_t count;
    if (engine_diff(&engine, context->operands[0], &context->arena, &changes, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind != CHANGE_HIDDEN) {
            table_row(&table);
            table_set(&table, COLUMN_KIND, "%c", changes[i].kind);
            table_set(&table, COLUMN_PATH, "%s", changes[i].path);
        }
    }
    list.format = list.format ? list.format : "{{.Kind}} {{.Path}}";
    return table_print(&table, &list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(format_option_rows, struct diff_request, list, struct list_options),
    {0},
};

const struct command command_diff = {
    .name = "diff",
    .usage = "CONTAINER",
    .summary = "Say what a container has made of its image's files",
    .description = "Each line is A for what was added, C for what was changed, or D for what was deleted, and the path. What lies in volumes "
                   "and other mounts is none of it.",
    .examples = "coffer diff web\ncoffer diff --format json web",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct diff_request),
    .run = run,
};
