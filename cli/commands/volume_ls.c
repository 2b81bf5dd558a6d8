#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/volume.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/engine/mount_list.h"

#include <stddef.h>

struct ls_request {
    struct list_options list;
    struct strv filters;
};

enum { COLUMN_DRIVER, COLUMN_NAME, COLUMN_SCOPE, COLUMN_PATH, COLUMN_AT, COLUMN_LABELS };

static const struct table_column columns[] = {
    [COLUMN_DRIVER] = {"Driver", "DRIVER"},
    [COLUMN_NAME] = {"Name", "VOLUME NAME", TABLE_QUIET},
    [COLUMN_SCOPE] = {"Scope", "SCOPE", TABLE_HIDDEN},
    [COLUMN_PATH] = {"Mountpoint", "MOUNTPOINT", TABLE_HIDDEN},
    [COLUMN_AT] = {"CreatedAt", "CREATED AT", TABLE_HIDDEN},
    [COLUMN_LABELS] = {"Labels", "LABELS", TABLE_HIDDEN},
    {0},
};

static void add_row(struct context *context, const struct home *home, const struct stored_volume *volume, struct table *table) {
    char at[32];
    AUTO_BUF struct buf labels = {0};
    for (size_t i = 0; i < volume->labels_count; i++) {
        buf_add_format(&labels, "%s%s=%s", i ? "," : "", volume->labels[i].name, volume->labels[i].value);
    }
    table_row(table);
    table_set(table, COLUMN_DRIVER, "local");
    table_set(table, COLUMN_NAME, "%s", volume->name);
    table_set(table, COLUMN_SCOPE, "local");
    table_set(table, COLUMN_PATH, "%s", volume_path(home, &context->arena, volume));
    table_set(table, COLUMN_AT, "%s", volume_created(volume, at));
    table_set(table, COLUMN_LABELS, "%s", buf_string(&labels));
}

static int run(struct context *context, struct err *err) {
    const struct ls_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_TABLE struct table table = {.columns = columns};
    AUTO_FD int volumes_fd = -1;
    struct stored_volume *volumes;
    size_t count;
    if (volume_filters_check(&request->filters, VOLUME_FILTERS_LS, err) < 0 || home_open(&engine, &home, err) < 0 ||
        (volumes_fd = volumes_open(&home, err)) < 0 || volumes_read(volumes_fd, &context->arena, &volumes, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *user = "";
        bool more;
        if (volume_filters_ask_use(&request->filters) &&
            mount_list_find_user(&home, &context->arena, volumes[i].name, NULL, &user, &more, err) < 0) {
            return -1;
        }
        if (volume_passes(&volumes[i], &request->filters, *user)) {
            add_row(context, &home, &volumes[i], &table);
        }
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_LIST("filter", 'f', "KEY=VALUE", struct ls_request, filters,
                "Show only what matches: name=TEXT, label=KEY[=VALUE], dangling=true, driver=local"),
    OPTION_ROWS(list_option_rows, struct ls_request, list, struct list_options),
    {0},
};

const struct command command_volume_ls = {
    .name = "ls",
    .aliases = "list",
    .summary = "List volumes",
    .examples = "coffer volume ls\ncoffer volume ls --filter dangling=true -q",
    .group = COMMAND_GROUP_CONTAINERS,
    .options = options,
    .request_size = sizeof(struct ls_request),
    .run = run,
};
