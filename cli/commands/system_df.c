#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/ref.h"
#include "images/usage.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/engine/home.h"
#include "runtime/engine/record.h"
#include "runtime/kernel/tree.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct df_request {
    struct list_options list;
    bool verbose;
};

enum { COLUMN_TYPE, COLUMN_TOTAL, COLUMN_ACTIVE, COLUMN_SIZE, COLUMN_RECLAIMABLE };

static const struct table_column columns[] = {
    [COLUMN_TYPE] = {"Type", "TYPE"},
    [COLUMN_TOTAL] = {"TotalCount", "TOTAL"},
    [COLUMN_ACTIVE] = {"Active", "ACTIVE"},
    [COLUMN_SIZE] = {"Size", "SIZE"},
    [COLUMN_RECLAIMABLE] = {"Reclaimable", "RECLAIMABLE"},
    {0},
};

enum { IMAGE_REPOSITORY, IMAGE_TAG, IMAGE_ID, IMAGE_SINCE, IMAGE_AT, IMAGE_SIZE, IMAGE_SHARED, IMAGE_UNIQUE, IMAGE_USED };

static const struct table_column image_columns[] = {
    [IMAGE_REPOSITORY] = {"Repository", "REPOSITORY"},
    [IMAGE_TAG] = {"Tag", "TAG"},
    [IMAGE_ID] = {"ID", "IMAGE ID", .cut = 12},
    [IMAGE_SINCE] = {"CreatedSince", "CREATED"},
    [IMAGE_AT] = {"CreatedAt", "CREATED AT", TABLE_HIDDEN},
    [IMAGE_SIZE] = {"Size", "SIZE"},
    [IMAGE_SHARED] = {"SharedSize", "SHARED SIZE"},
    [IMAGE_UNIQUE] = {"UniqueSize", "UNIQUE SIZE"},
    [IMAGE_USED] = {"InUse", "IN USE"},
    {0},
};

enum { CONTAINER_ID, CONTAINER_IMAGE, CONTAINER_SIZE, CONTAINER_STATE, CONTAINER_NAME };

static const struct table_column container_columns[] = {
    [CONTAINER_ID] = {"ID", "CONTAINER ID", .cut = 12},
    [CONTAINER_IMAGE] = {"Image", "IMAGE"},
    [CONTAINER_SIZE] = {"Size", "SIZE"},
    [CONTAINER_STATE] = {"State", "STATE"},
    [CONTAINER_NAME] = {"Names", "NAMES"},
    {0},
};

static void set_size(struct table *table, unsigned column, uint64_t bytes) {
    char text[OUTPUT_HUMAN_SIZE];
    table_set(table, column, "%s", output_human_size((int64_t)bytes, text));
}

static void add_part(struct table *table, const char *type, const struct usage_part *part) {
    char text[OUTPUT_HUMAN_SIZE];
    table_row(table);
    table_set(table, COLUMN_TYPE, "%s", type);
    table_set(table, COLUMN_TOTAL, "%zu", part->count);
    table_set(table, COLUMN_ACTIVE, "%zu", part->active);
    set_size(table, COLUMN_SIZE, part->bytes);
    table_set(table, COLUMN_RECLAIMABLE, "%s (%u%%)", output_human_size((int64_t)part->reclaimable_bytes, text),
              part->bytes ? (unsigned)(part->reclaimable_bytes * 100 / part->bytes) : 0);
}

static void add_image(struct table *table, const struct usage_image *usage) {
    const struct catalog_image *image = usage->image;
    const struct image_ref *ref = image->tags_count > 0 ? &image->tags[0].ref : NULL;
    table_row(table);
    table_set(table, IMAGE_REPOSITORY, "%s", ref ? image_ref_familiar_name(ref->name) : "<none>");
    table_set(table, IMAGE_TAG, "%s", ref && ref->tag ? ref->tag : "<none>");
    table_set(table, IMAGE_ID, "%s", image_record_hex(image->record.id));
    store_set_created(table, IMAGE_SINCE, IMAGE_AT, image->record.config.created);
    set_size(table, IMAGE_SIZE, image->size_bytes);
    set_size(table, IMAGE_SHARED, usage->shared_bytes);
    set_size(table, IMAGE_UNIQUE, usage->unique_bytes);
    table_set(table, IMAGE_USED, "%s", usage->in_use ? "yes" : "no");
}

// The writable layers, and what else is kept of a container.
static int measure_containers(struct context *context, struct usage_part *part, struct table *table, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home;
    const char **ids;
    if (home_open(&engine, &home, err) < 0 || record_list(&home, &context->arena, &ids, err) < 0) {
        return -1;
    }
    for (size_t i = 0; ids[i]; i++) {
        struct record record;
        struct err gone;
        if (record_read(&home, &context->arena, ids[i], &record, &gone) < 0) { // on its way in or out
            continue;
        }
        uint64_t bytes = tree_measure(home.containers_fd, ids[i]);
        bool running = record_is_running(&home, ids[i]);
        part->count++;
        part->active += running;
        part->bytes += bytes;
        part->reclaimable_bytes += running ? 0 : bytes;
        table_row(table);
        table_set(table, CONTAINER_ID, "%s", record.id);
        table_set(table, CONTAINER_IMAGE, "%s", record.image);
        set_size(table, CONTAINER_SIZE, bytes);
        table_set(table, CONTAINER_STATE, "%s", running ? "running" : "exited");
        table_set(table, CONTAINER_NAME, "%s", record.name);
    }
    return 0;
}

// A member of the one document that --verbose makes: the rows as items.
static int add_rows(struct buf *buf, const char *name, const struct table *table, const struct list_options *list,
                    struct err *err) {
    AUTO_BUF struct buf rows = {0};
    if (table_format(table, list, false, &rows, err) < 0) {
        return -1;
    }
    if (rows.size > 0) {
        rows.data[--rows.size] = '\0';
    }
    for (size_t i = 0; i < rows.size; i++) {
        rows.data[i] = rows.data[i] == '\n' ? ',' : rows.data[i]; // within a row they are escaped
    }
    buf_add_format(buf, "\"%s\":[%s]", name, buf_string(&rows));
    return 0;
}

struct df {
    struct table parts, images, containers;
};

static void df_finish(struct df *df) {
    table_finish(&df->parts);
    table_finish(&df->images);
    table_finish(&df->containers);
}

static int print_verbose(const struct df *df, const struct list_options *list, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    bool colour = output_has_colour(STDOUT_FILENO);
    if (list->format && strcmp(list->format, "json") == 0) {
        buf_add_char(&buf, '{');
        if (add_rows(&buf, "Images", &df->images, list, err) < 0) {
            return -1;
        }
        buf_add_char(&buf, ',');
        if (add_rows(&buf, "Containers", &df->containers, list, err) < 0) {
            return -1;
        }
        buf_add_char(&buf, ',');
        if (add_rows(&buf, "Total", &df->parts, list, err) < 0) {
            return -1;
        }
        buf_add_string(&buf, "}\n");
        return output_write(&buf, err);
    }
    buf_add_string(&buf, "Images space usage:\n\n");
    if (table_format(&df->images, list, colour, &buf, err) < 0) {
        return -1;
    }
    buf_add_string(&buf, "\nContainers space usage:\n\n");
    if (table_format(&df->containers, list, colour, &buf, err) < 0) {
        return -1;
    }
    buf_add_string(&buf, "\nTotal:\n\n");
    return table_format(&df->parts, list, colour, &buf, err) < 0 ? -1 : output_write(&buf, err);
}

static int run(struct context *context, struct err *err) {
    const struct df_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO(df_finish) struct df df = {{.columns = columns}, {.columns = image_columns}, {.columns = container_columns}};
    struct usage usage;
    struct usage_part images = {0}, containers = {0};
    const char *format = request->list.format;
    if (request->verbose && format && strcmp(format, "json") != 0 && strcmp(format, "table") != 0) {
        return err_set(err, ERR_INPUT, "--format with --verbose: expected json or table, as there are several tables");
    }
    if (store_to_look_at(context, &store, err) < 0 || usage_measure(store, &context->arena, &usage, err) < 0 ||
        measure_containers(context, &containers, &df.containers, err) < 0) {
        return -1;
    }
    images = usage.layers;
    images.count = usage.images_count;
    images.active = 0;
    for (size_t i = 0; i < usage.images_count; i++) {
        images.active += usage.images[i].in_use;
        add_image(&df.images, &usage.images[i]);
    }
    add_part(&df.parts, "Images", &images);
    add_part(&df.parts, "Containers", &containers);
    add_part(&df.parts, "Documents", &usage.documents);
    add_part(&df.parts, "Leftovers", &usage.leftovers);
    return request->verbose ? print_verbose(&df, &request->list, err) : table_print(&df.parts, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(format_option_rows, struct df_request, list, struct list_options),
    OPTION_FLAG("verbose", 'v', struct df_request, verbose, "Show each image and container"),
    {0},
};

const struct command command_system_df = {
    .name = "df",
    .summary = "Show what images and containers take on the disk",
    .description = "Layers count once, however many images have them. Reclaimable of images is what \"coffer image prune --all\" "
                   "frees; of one image, "
                   "its unique size, what \"coffer rmi\" frees. Documents are manifests and configurations; leftovers are layers "
                   "of no image, what "
                   "commands that were killed have left, which the next command that changes images removes, and what pulls that "
                   "were broken off go on with, which \"coffer image prune\" removes.",
    .examples = "coffer system df -v\ncoffer system df --format '{{.Type}} {{.Reclaimable}}'",
    .group = COMMAND_GROUP_OTHER,
    .options = options,
    .request_size = sizeof(struct df_request),
    .run = run,
};
