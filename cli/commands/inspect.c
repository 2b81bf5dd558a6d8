#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/template.h"
#include "images/catalog.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

struct inspect_request {
    const char *format;
};

static void write_names(struct json_writer *writer, const char *name, const struct catalog_image *image, bool digests,
                        struct arena *arena) {
    AUTO_STRV struct strv list = {0};
    for (size_t i = 0; i < image->tags_count; i++) {
        if (!image->tags[i].ref.tag == digests) {
            strv_add(&list, image_ref_familiar(arena, &image->tags[i].ref));
        }
    }
    json_write_strings(writer, name, (const char *const *)list.items, list.count);
}

static void write_text(struct json_writer *writer, const char *name, const char *text) {
    json_write_string(writer, name, text ? text : "");
}

// The members that docker has, in its order.
static void write_image(struct json_writer *writer, const struct catalog_image *image, struct arena *arena) {
    const struct image_config *config = &image->record.config;
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "Id", image->record.id);
    write_names(writer, "RepoTags", image, false, arena);
    write_names(writer, "RepoDigests", image, true, arena);
    write_text(writer, "Digest", image->record.manifest);
    write_text(writer, "Created", config->created);
    write_text(writer, "Author", config->author);
    image_settings_write(&config->settings, writer, "Config");
    write_text(writer, "Architecture", config->architecture);
    if (config->variant) {
        json_write_string(writer, "Variant", config->variant);
    }
    write_text(writer, "Os", config->os);
    json_write_u64(writer, "Size", image->size_bytes);
    json_write_open(writer, "RootFS", '{');
    json_write_string(writer, "Type", "layers");
    json_write_strings(writer, "Layers", (const char *const *)config->diff_ids, config->diff_ids_count);
    json_write_close(writer, '}');
    json_write_open(writer, "Metadata", '{');
    json_write_string(writer, "Loaded", image->record.loaded);
    json_write_close(writer, '}');
    json_write_close(writer, '}');
}

static void drop_json(json_t **value) {
    json_decref(*value);
}

static int add_by_template(const char *template, const struct catalog_image *image, struct arena *arena, struct buf *buf,
                           struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO(drop_json) json_t *root = NULL;
    struct json_writer writer = {.buf = &text};
    write_image(&writer, image, arena);
    const struct json_document document = {.name = "image", .text = text.data, .size = text.size, .max_bytes = SIZE_MAX};
    return json_parse(&document, &root, err) < 0 || template_format(template, root, buf, err) < 0 ? -1 : 0;
}

static int run(struct context *context, struct err *err) {
    const struct inspect_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_BUF struct buf buf = {0};
    struct json_writer writer = {.buf = &buf, .indent = "    "};
    bool by_template = request->format && strcmp(request->format, "json") != 0;
    if (store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    if (!by_template) {
        json_write_open(&writer, NULL, '[');
    }
    for (int i = 0; i < context->operand_count; i++) {
        struct catalog_image image;
        if (catalog_get(store, context->operands[i], &context->arena, &image, err) < 0) {
            return -1;
        }
        if (!by_template) {
            write_image(&writer, &image, &context->arena);
        } else if (add_by_template(request->format, &image, &context->arena, &buf, err) < 0) {
            return -1;
        }
    }
    if (!by_template) {
        json_write_close(&writer, ']');
    }
    return output_write(&buf, err);
}

static const struct option_row options[] = {
    OPTION_STRING("format", 'f', "TEMPLATE", struct inspect_request, format,
                  "Show {{.Name}}, {{json .Name}} and the like in place of all"),
    {0},
};

const struct command command_inspect = {
    .name = "inspect",
    .usage = "IMAGE...",
    .summary = "Show all that is known of images, as JSON",
    .examples = "coffer inspect alpine\ncoffer inspect --format '{{.Config.Cmd}}' alpine",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct inspect_request),
    .run = run,
};
