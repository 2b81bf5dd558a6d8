#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/blob.h"
#include "images/catalog.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <inttypes.h>
#include <stddef.h>

struct history_request {
    struct list_options list;
    bool human;
};

enum { COLUMN_ID, COLUMN_SINCE, COLUMN_AT, COLUMN_BY, COLUMN_SIZE, COLUMN_COMMENT };

#define COLUMNS(since_flags, at_flags)                                                                                             \
    {                                                                                                                              \
        [COLUMN_ID] = {"ID", "IMAGE", TABLE_QUIET}, [COLUMN_SINCE] = {"CreatedSince", "CREATED", since_flags},                     \
        [COLUMN_AT] = {"CreatedAt", "CREATED AT", at_flags}, [COLUMN_BY] = {"CreatedBy", "CREATED BY"},                            \
        [COLUMN_SIZE] = {"Size", "SIZE"}, [COLUMN_COMMENT] = {"Comment", "COMMENT"}, {0},                                          \
    }

static const struct table_column columns[] = COLUMNS(0, TABLE_HIDDEN);
static const struct table_column exact_columns[] = COLUMNS(TABLE_HIDDEN, 0);

enum { COMMAND_LETTERS = 45 }; // of a build step, as docker shows it

// One line, not too long: build steps are whole scripts.
static void set_command(struct table *table, const char *command, bool whole) {
    AUTO_BUF struct buf line = {0};
    int letters = 0;
    for (const char *at = command ? command : ""; *at; at++) {
        letters += ((unsigned char)*at & 0xc0) != 0x80;
        if (letters > COMMAND_LETTERS && !whole) {
            while (line.size > 0 && ((unsigned char)line.data[line.size - 1] & 0xc0) == 0x80) {
                line.size--;
            }
            line.data[--line.size] = '\0'; // the last letter makes room
            buf_add_string(&line, "…");
            break;
        }
        buf_add_char(&line, *at == '\t' || *at == '\n' ? ' ' : *at);
    }
    table_set(table, COLUMN_BY, "%s", buf_string(&line));
}

static void add_row(struct table *table, const struct image_history *step, const char *id, uint64_t bytes,
                    const struct history_request *request) {
    char text[OUTPUT_HUMAN_SIZE];
    table_row(table);
    table_set(table, COLUMN_ID, "%.*s", request->list.whole || id[0] == '<' ? -1 : 12,
              request->list.whole ? id : image_record_hex(id));
    store_set_created(table, COLUMN_SINCE, COLUMN_AT, step->created);
    set_command(table, step->created_by, request->list.whole);
    if (request->human) {
        table_set(table, COLUMN_SIZE, "%s", output_human_size((int64_t)bytes, text));
    } else {
        table_set(table, COLUMN_SIZE, "%" PRIu64, bytes);
    }
    table_set(table, COLUMN_COMMENT, "%s", step->comment ? step->comment : "");
}

// From the last step to the first. Steps and layers need not agree, as nobody checks it: what is left of either has a row, too.
static void add_rows(struct table *table, const struct catalog_image *image, const struct image_config *config,
                     const struct history_request *request) {
    size_t layer = image->record.layers_count, with_layer = 0;
    const char *id = image->record.id;
    for (size_t i = 0; i < config->history_count; i++) {
        with_layer += !config->history[i].empty_layer;
    }
    for (; layer > with_layer; id = "<missing>") {
        add_row(table, &(struct image_history){0}, id, image->record.layers[--layer].size_bytes, request);
    }
    for (size_t i = config->history_count; i-- > 0; id = "<missing>") {
        bool empty = config->history[i].empty_layer;
        // Where there are more steps than layers, the first steps are without.
        bool has = !empty && layer > 0;
        add_row(table, &config->history[i], id, has ? image->record.layers[layer - 1].size_bytes : 0, request);
        layer -= has;
    }
}

static int run(struct context *context, struct err *err) {
    const struct history_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_TABLE struct table table = {.columns = request->human ? columns : exact_columns};
    struct catalog_image image;
    struct image_config config;
    const char *name = context->operands[0];
    if (store_of(context, &store, NULL, err) < 0 || catalog_get(store, name, &context->arena, &image, err) < 0) {
        return -1;
    }
    if (blob_read_config(store, image.record.id, &context->arena, &config, err) < 0) {
        return err_in(err, "history of %s", name);
    }
    add_rows(&table, &image, &config, request);
    return table_print(&table, &request->list, err);
}

static const struct history_request defaults = {.human = true};

static const struct option_row options[] = {
    OPTION_FLAG("human", 'H', struct history_request, human, "Show sizes and times for people; --human=false for programs"),
    OPTION_ROWS(list_option_rows, struct history_request, list, struct list_options),
    {0},
};

const struct command command_history = {
    .name = "history",
    .usage = "IMAGE",
    .summary = "Show the steps an image was built by",
    .description = "The last step first, as its configuration tells them, with the size of the layer each has made.",
    .examples = "coffer history --no-trunc --format '{{.Size}} {{.CreatedBy}}' alpine",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct history_request),
    .request_defaults = &defaults,
    .run = run,
};
