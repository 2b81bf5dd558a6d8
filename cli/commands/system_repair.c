#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/staging.h"
#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/engine/repair.h"

#include <stddef.h>

struct repair_request {
    struct list_options list;
};

enum { COLUMN_KIND, COLUMN_NAME, COLUMN_ACTION, EXIT_NOT_REPAIRED = 1 };

static const struct table_column columns[] = {
    [COLUMN_KIND] = {"Kind", "KIND"},
    [COLUMN_NAME] = {"Name", "NAME", TABLE_QUIET},
    [COLUMN_ACTION] = {"Action", "WHAT WAS DONE"},
    {0},
};

static void add(struct table *table, const char *kind, const char *name, const char *action) {
    table_row(table);
    table_set(table, COLUMN_KIND, "%s", kind);
    table_set(table, COLUMN_NAME, "%s", name);
    table_set(table, COLUMN_ACTION, "%s", action);
}

// Behind the containers: an ordinary user's process is in a user namespace from here on.
static int repair_staging(struct context *context, struct table *table, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    if (store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    size_t count = staging_sweep(store);
    if (count > 0) {
        table_row(table);
        table_set(table, COLUMN_KIND, "staging");
        table_set(table, COLUMN_NAME, "%zu", count);
        table_set(table, COLUMN_ACTION, "half made images: removed");
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct repair_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_TABLE struct table table = {.columns = columns};
    struct repair repair;
    bool failed = false;
    if (engine_repair(&engine, &context->arena, &repair, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < repair.count; i++) {
        add(&table, repair.items[i].kind, repair.items[i].name, repair.items[i].action);
        failed |= repair.items[i].failed;
    }
    if (repair_staging(context, &table, err) < 0 || table_print(&table, &request->list, err) < 0) {
        return -1;
    }
    return failed ? EXIT_NOT_REPAIRED : 0;
}

static const struct option_row options[] = {
    OPTION_ROWS(list_option_rows, struct repair_request, list, struct list_options),
    {0},
};

const struct command command_system_repair = {
    .name = "repair",
    .summary = "Put in order what killed commands and monitors have left behind",
    .description = "Each command repairs what it comes by; this one looks everywhere: containers whose monitors were killed or that are "
                   "half made, names, user ids, addresses and published ports of containers that are gone, and half made images. What "
                   "somebody works on is left alone. `coffer system check` does the same for what images hold.\n\n"
                   "The exit code is 1 when something could not be repaired.",
    .examples = "coffer system repair\ncoffer system repair --format json",
    .group = COMMAND_GROUP_OTHER,
    .options = options,
    .request_size = sizeof(struct repair_request),
    .run = run,
};
