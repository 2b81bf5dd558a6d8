#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/ref.h"
#include "images/usage.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/home.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/record.h"
#include "runtime/engine/volume_store.h"
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

enum { VOLUME_NAME, VOLUME_USED, VOLUME_SIZE };

static const struct table_column volume_columns[] = {
    [VOLUME_NAME] = {"Name", "VOLUME NAME"},
    [VOLUME_USED] = {"InUse", "IN USE"},
    [VOLUME_SIZE] = {"Size", "SIZE"},
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

// What lies elsewhere on the host (volume create --opt device=) is not ours to count.
static int measure_volumes(struct context *context, struct usage_part *part, struct table *table, struct err *err) {
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_FD int volumes_fd = -1;
    struct stored_volume *volumes;
    size_t count;
    if (home_open(&engine, &home, err) < 0 || (volumes_fd = volumes_open(&home, err)) < 0 ||
        volumes_read(volumes_fd, &context->arena, &volumes, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *user = "";
        bool more;
        uint64_t bytes = tree_measure(volumes_fd, volumes[i].name);
        if (mount_list_find_user(&home, &context->arena, volumes[i].name, NULL, &user, &more, err) < 0) {
            return -1;
        }
        part->count++;
        part->active += *user != '\0';
        part->bytes += bytes;
        part->reclaimable_bytes += *user ? 0 : bytes;
        table_row(table);
        table_set(table, VOLUME_NAME, "%s", volumes[i].name);
        table_set(table, VOLUME_USED, "%s", *user ? "yes" : "no");
        set_size(table, VOLUME_SIZE, bytes);
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
    struct table parts, images, containers, volumes;
};

static void df_finish(struct df *df) {
    table_finish(&df->parts);
    table_finish(&df->images);
    table_finish(&df->containers);
    table_finish(&df->volumes);
}

static int print_verbose(const struct df *df, const struct list_options *list, struct err *err) {
    const struct {
        const char *member, *heading;
        const struct table *table;
    } parts[] = {
        {"Images", "Images space usage:\n\n", &df->images},
        {"Containers", "\nContainers space usage:\n\n", &df->containers},
        {"Volumes", "\nLocal Volumes space usage:\n\n", &df->volumes},
        {"Total", "\nTotal:\n\n", &df->parts},
    };
    AUTO_BUF struct buf buf = {0};
    bool colour = output_has_colour(STDOUT_FILENO), json = list->format && strcmp(list->format, "json") == 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_add_string(&buf, json ? i == 0 ? "{" : "," : parts[i].heading);
        if ((json ? add_rows(&buf, parts[i].member, parts[i].table, list, err) : table_format(parts[i].table, list, colour, &buf, err)) < 0) {
            return -1;
        }
    }
    buf_add_string(&buf, json ? "}\n" : "");
    return output_write(&buf, err);
}

static int run(struct context *context, struct err *err) {
    const struct df_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO(df_finish) struct df df = {
        {.columns = columns}, {.columns = image_columns}, {.columns = container_columns}, {.columns = volume_columns}};
    struct usage usage;
    struct usage_part images = {0}, containers = {0}, volumes = {0};
    const char *format = request->list.format;
    if (request->verbose && format && strcmp(format, "json") != 0 && strcmp(format, "table") != 0) {
        return err_set(err, ERR_INPUT, "--format with --verbose: expected json or table, as there are several tables");
    }
    if (store_to_look_at(context, &store, err) < 0 || usage_measure(store, &context->arena, &usage, err) < 0 ||
        measure_containers(context, &containers, &df.containers, err) < 0 || measure_volumes(context, &volumes, &df.volumes, err) < 0) {
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
    add_part(&df.parts, "Local Volumes", &volumes);
    add_part(&df.parts, "Documents", &usage.documents);
    add_part(&df.parts, "Leftovers", &usage.leftovers);
    return request->verbose ? print_verbose(&df, &request->list, err) : table_print(&df.parts, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(format_option_rows, struct df_request, list, struct list_options),
    OPTION_FLAG("verbose", 'v', struct df_request, verbose, "Show each image, container and volume"),
    {0},
};

const struct command command_system_df = {
    .name = "df",
    .summary = "Show what images, containers and volumes take on the disk",
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
