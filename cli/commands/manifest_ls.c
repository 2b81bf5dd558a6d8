// Which lists there are.
#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#include <stddef.h>

struct ls_request {
    struct list_options list;
};

enum { COLUMN_NAME, COLUMN_ITEMS, COLUMN_PLATFORMS };

static const struct table_column columns[] = {
    [COLUMN_NAME] = {"Name", "LIST", TABLE_QUIET},
    [COLUMN_ITEMS] = {"Items", "IMAGES", TABLE_RIGHT},
    [COLUMN_PLATFORMS] = {"Platforms", "PLATFORMS", .cut = 60},
    {0},
};

static void add_row(struct context *context, struct table *table, const struct list *list) {
    AUTO_BUF struct buf platforms = {0};
    for (size_t i = 0; i < list->items_count; i++) {
        buf_add_format(&platforms, "%s%s", i == 0 ? "" : ", ",
                       list_platform_text(&context->arena, list->items[i].descriptor.platform));
    }
    table_row(table);
    table_set(table, COLUMN_NAME, "%s", image_ref_familiar(&context->arena, &list->ref));
    table_set(table, COLUMN_ITEMS, "%zu", list->items_count);
    table_set(table, COLUMN_PLATFORMS, "%s", buf_string(&platforms));
}

static int run_ls(struct context *context, struct err *err) {
    const struct ls_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_TABLE struct table table = {.columns = columns};
    struct image_ref *names;
    size_t count;
    if (store_of(context, &store, NULL, err) < 0 || list_names(store, &context->arena, &names, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct list list;
        struct err wrong = {0};
        if (list_read(store, &names[i], &context->arena, &list, &wrong) == 0) {
            add_row(context, &table, &list);
        } else if (wrong.kind != ERR_NOT_FOUND) { // gone meanwhile
            log_warn("%s", wrong.text);
        }
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(list_option_rows, struct ls_request, list, struct list_options),
    {0},
};

const struct command command_manifest_ls = {
    .name = "ls",
    .aliases = "list",
    .summary = "Show which lists there are",
    .group = COMMAND_GROUP_IMAGES,
    .options = options,
    .request_size = sizeof(struct ls_request),
    .run = run_ls,
};

static int run_exists(struct context *context, struct err *err) {
    struct image_ref ref;
    struct list list;
    if (list_name_parse(&context->arena, context->operands[0], &ref, err) < 0) {
        return -1;
    }
    if (manifest_read(context, &ref, &list, err) < 0) {
        return err->kind == ERR_NOT_FOUND ? 1 : -1;
    }
    return 0;
}

static const struct option_row no_options[] = {
    {0},
};

const struct command command_manifest_exists = {
    .name = "exists",
    .usage = "LIST",
    .summary = "Say by the exit code whether a list is there: 0 yes, 1 no",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .options = no_options,
    .run = run_exists,
};
