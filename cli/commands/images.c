#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/catalog.h"
#include "images/ref.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>

struct images_request {
    struct list_options list;
    bool all;
    bool digests;
};

enum { COLUMN_REPOSITORY, COLUMN_TAG, COLUMN_DIGEST, COLUMN_ID, COLUMN_SINCE, COLUMN_AT, COLUMN_SIZE };

#define COLUMNS(digest_flags)                                                                                                      \
    {                                                                                                                              \
        [COLUMN_REPOSITORY] = {"Repository", "REPOSITORY"}, [COLUMN_TAG] = {"Tag", "TAG"},                                         \
        [COLUMN_DIGEST] = {"Digest", "DIGEST", digest_flags}, [COLUMN_ID] = {"ID", "IMAGE ID", TABLE_QUIET, .cut = 12},            \
        [COLUMN_SINCE] = {"CreatedSince", "CREATED"}, [COLUMN_AT] = {"CreatedAt", "CREATED AT", TABLE_HIDDEN},                     \
        [COLUMN_SIZE] = {"Size", "SIZE"}, {0},                                                                                     \
    }

static const struct table_column columns[] = COLUMNS(TABLE_HIDDEN);
static const struct table_column columns_with_digests[] = COLUMNS(0);

// ref: NULL for an image that nobody calls by a name.
static void add_row(struct table *table, const struct catalog_image *image, const struct image_ref *ref, bool whole) {
    char size[OUTPUT_HUMAN_SIZE];
    table_row(table);
    table_set(table, COLUMN_REPOSITORY, "%s", ref ? image_ref_familiar_name(ref->name) : "<none>");
    table_set(table, COLUMN_TAG, "%s", ref && ref->tag ? ref->tag : "<none>");
    table_set(table, COLUMN_DIGEST, "%s", image->record.manifest ? image->record.manifest : "<none>");
    table_set(table, COLUMN_ID, "%s", whole ? image->record.id : image_record_hex(image->record.id));
    store_set_created(table, COLUMN_SINCE, COLUMN_AT, image->record.config.created);
    table_set(table, COLUMN_SIZE, "%s", output_human_size((int64_t)image->size_bytes, size));
}

// A digest alone is a name only where there is no tag of the same repository.
static bool has_tag(const struct catalog_image *image, const char *name) {
    for (size_t i = 0; i < image->tags_count; i++) {
        if (image->tags[i].ref.tag && strcmp(image->tags[i].ref.name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct image_ref *ref, const struct image_ref *wanted, bool any_tag) {
    return !wanted || (strcmp(ref->name, wanted->name) == 0 && (any_tag || (ref->tag && strcmp(ref->tag, wanted->tag) == 0)));
}

static void add_image(struct table *table, const struct catalog_image *image, bool whole, const struct image_ref *wanted,
                      bool any_tag) {
    for (size_t i = 0; i < image->tags_count; i++) {
        const struct image_ref *ref = &image->tags[i].ref;
        bool shown = (ref->tag || !has_tag(image, ref->name)) && is_wanted(ref, wanted, any_tag);
        if (shown) {
            add_row(table, image, ref, whole);
        }
    }
    if (image->tags_count == 0 && !wanted) {
        add_row(table, image, NULL, whole);
    }
}

static int run(struct context *context, struct err *err) {
    const struct images_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_TABLE struct table table = {.columns = request->digests ? columns_with_digests : columns};
    struct catalog_image *images;
    struct image_ref wanted;
    size_t count;
    const char *word = context->operand_count > 0 ? context->operands[0] : NULL;
    if (word && image_ref_parse(&context->arena, word, &wanted, err) < 0) {
        return -1;
    }
    const char *slash = word ? strrchr(word, '/') : NULL;
    bool any_tag = word && !strchr(slash ? slash : word, ':');
    if (store_of(context, &store, NULL, err) < 0 || catalog_list(store, &context->arena, &images, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        add_image(&table, &images[i], request->list.whole, word ? &wanted : NULL, any_tag);
    }
    return table_print(&table, &request->list, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 'a', struct images_request, all, "Show images without a name too, as is done in any case", .hidden = true),
    OPTION_FLAG("digests", 0, struct images_request, digests, "Show the digests of manifests"),
    OPTION_ROWS(list_option_rows, struct images_request, list, struct list_options),
    {0},
};

const struct command command_images = {
    .name = "images",
    .usage = "[REPOSITORY[:TAG]]",
    .summary = "List images",
    .examples = "coffer images\ncoffer images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
    .group = COMMAND_GROUP_IMAGES,
    .max_operands = 1,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct images_request),
    .run = run,
};

const struct command command_image_ls = {
    .name = "ls",
    .aliases = "list",
    .usage = "[REPOSITORY[:TAG]]",
    .summary = "List images",
    .group = COMMAND_GROUP_IMAGES,
    .max_operands = 1,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct images_request),
    .run = run,
};
