#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/health_file.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/engine/request.h"
#include "runtime/engine/request_json.h"

#include <stdlib.h>
#include <time.h>

struct ps_request {
    struct list_options list;
    bool all;
};

enum { COLUMN_ID, COLUMN_IMAGE, COLUMN_COMMAND, COLUMN_CREATED, COLUMN_STATUS, COLUMN_STATE, COLUMN_NAME, COLUMN_LABELS, COLUMN_HEALTH };

static const struct table_column columns[] = {
    [COLUMN_ID] = {"ID", "CONTAINER ID", TABLE_QUIET, 12},
    [COLUMN_IMAGE] = {"Image", "IMAGE"},
    [COLUMN_COMMAND] = {"Command", "COMMAND", 0, 22},
    [COLUMN_CREATED] = {"RunningFor", "CREATED"},
    [COLUMN_STATUS] = {"Status", "STATUS"},
    [COLUMN_STATE] = {"State", "STATE", TABLE_HIDDEN},
    [COLUMN_NAME] = {"Names", "NAMES"},
    [COLUMN_LABELS] = {"Labels", "LABELS", TABLE_HIDDEN},
    [COLUMN_HEALTH] = {"Health", "HEALTH", TABLE_HIDDEN},
    {0},
};

struct ps_row {
    const struct record *record;
    enum record_state state;
    bool attended; // by a monitor
    enum health_status health;
};

static int newest_first(const void *a, const void *b) {
    const struct record *left = a, *right = b;
    return left->created_s < right->created_s ? 1 : left->created_s > right->created_s ? -1 : 0;
}

// As docker has it behind "Up 5 minutes".
static const char *const health_words[] = {
    [HEALTH_NONE] = "",
    [HEALTH_STARTING] = " (health: starting)",
    [HEALTH_HEALTHY] = " (healthy)",
    [HEALTH_UNHEALTHY] = " (unhealthy)",
};

static void set_status(struct table *table, const struct ps_row *row) {
    const struct record *record = row->record;
    enum record_state state = row->state;
    enum health_status health = row->health;
    bool attended = row->attended;
    char since[OUTPUT_HUMAN_SIZE];
    int64_t now = time(NULL);
    switch (state) {
    case RECORD_CREATED:
        table_set(table, COLUMN_STATUS, "Created");
        break;
    case RECORD_RUNNING:
    case RECORD_PAUSED:
        table_set(table, COLUMN_STATUS, "Up %s%s%s", output_human_duration(now - record->started_s, since),
                  state == RECORD_PAUSED ? " (Paused)" : health_words[health], attended ? "" : " (its monitor was killed)");
        break;
    case RECORD_RESTARTING:
        table_set(table, COLUMN_STATUS, "Restarting (%d) %s ago", record->exit_code,
                  output_human_duration(now - record->finished_s, since));
        break;
    default:
        if (record->finished_s) {
            table_set(table, COLUMN_STATUS, "Exited (%d) %s ago%s", record->exit_code,
                      output_human_duration(now - record->finished_s, since), record->out_of_memory ? " (out of memory)" : "");
        } else {
            table_set(table, COLUMN_STATUS, "Exited: its monitor was killed");
        }
    }
}

// As docker shows them: NAME=VALUE,...
static void set_labels(struct table *table, const struct record *record) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    struct run_request request;
    struct err damaged;
    if (request_read_json(record->request, &arena, &request, &damaged) < 0) {
        return;
    }
    for (size_t i = 0; i < request.labels.count; i++) {
        buf_add_format(&text, "%s%s", i > 0 ? "," : "", request.labels.items[i]);
    }
    table_set(table, COLUMN_LABELS, "%s", buf_string(&text));
}

static void add_row(struct table *table, const struct ps_row *row) {
    const struct record *record = row->record;
    char age[OUTPUT_HUMAN_SIZE];
    int64_t now = time(NULL);
    table_row(table);
    table_set(table, COLUMN_ID, "%s", record->id);
    table_set(table, COLUMN_IMAGE, "%s", record->image);
    table_set(table, COLUMN_COMMAND, "\"%s\"", record->command);
    table_set(table, COLUMN_CREATED, "%s ago", output_human_duration(now - record->created_s, age));
    table_set(table, COLUMN_STATE, "%s", record_state_name(row->state));
    table_set(table, COLUMN_HEALTH, "%s", health_status_name(row->health));
    table_set(table, COLUMN_NAME, "%s", record->name);
    set_labels(table, record);
    set_status(table, row);
}

static bool read_again(const struct home *home, struct arena *arena, struct record *record) {
    struct record now;
    struct err gone;
    bool read = record_read(home, arena, record->id, &now, &gone) == 0;
    *record = read ? now : *record;
    return read;
}

static int run(struct context *context, struct err *err) {
    const struct ps_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home;
    AUTO_TABLE struct table table = {.columns = columns};
    const char **ids;
    if (home_open(&engine, &home, err) < 0) {
        return -1;
    }
    record_sweep(&home);
    if (record_list(&home, &context->arena, &ids, err) < 0) {
        return -1;
    }
    size_t count = 0, total = 0;
    while (ids[total]) {
        total++;
    }
    struct record *records = arena_array(&context->arena, total, sizeof(*records));
    for (size_t i = 0; i < total; i++) {
        struct err gone; // removed while we look
        if (record_read(&home, &context->arena, ids[i], &records[count], &gone) == 0) {
            count++;
        }
    }
    if (count > 0) {
        qsort(records, count, sizeof(*records), newest_first);
    }
    for (size_t i = 0; i < count; i++) {
        enum record_state state = record_state(&home, &records[i]);
        if (state == RECORD_EXITED && !records[i].finished_s && !read_again(&home, &context->arena, &records[i])) {
            continue; // it has ended, and was removed, while we looked
        }
        if (request->all || (state != RECORD_CREATED && state != RECORD_EXITED)) {
            const struct ps_row row = {
                .record = &records[i],
                .state = state,
                .attended = record_is_running(&home, records[i].id),
                .health = health_file_status(&home, records[i].id),
            };
            add_row(&table, &row);
        }
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct ps_request, all, "Show ended containers too"),
    OPTION_ROWS(list_option_rows, struct ps_request, list, struct list_options),
    {0},
};

const struct command command_ps = {
    .name = "ps",
    .aliases = "ls list",
    .summary = "List containers",
    .group = COMMAND_GROUP_COMMON,
    .options = options,
    .request_size = sizeof(struct ps_request),
    .run = run,
};
