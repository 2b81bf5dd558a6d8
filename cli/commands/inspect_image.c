#include "cli/commands/all.h"
#include "cli/commands/inspect.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "images/catalog.h"
#include "images/ref.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>

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

int inspect_add_image(struct inspecting *inspecting, const char *name, struct json_writer *writer, struct err *err) {
    struct context *context = inspecting->context;
    struct catalog_image image;
    if ((!inspecting->store && store_of(context, &inspecting->store, NULL, err) < 0) ||
        catalog_get(inspecting->store, name, &context->arena, &image, err) < 0) {
        return -1;
    }
    write_image(writer, &image, &context->arena);
    return 0;
}

static int run(struct context *context, struct err *err) {
    return inspect_run(context, context->request, inspect_add_image, false, err);
}

const struct command command_image_inspect = {
    .name = "inspect",
    .usage = "IMAGE...",
    .summary = "Show all that is known of images, as JSON",
    .examples = "coffer image inspect alpine\ncoffer image inspect --format '{{.Config.Cmd}}' alpine",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = inspect_option_rows,
    .request_size = sizeof(struct inspect_options),
    .run = run,
};
