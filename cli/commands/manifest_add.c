#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "runtime/base/err.h"

#include <stddef.h>

struct add_request {
    bool all;
    struct manifest_details details;
    struct registry_flags registry;
};

static int check(const struct context *context, const struct list_details *details, struct err *err) {
    const struct add_request *request = context->request;
    const struct image_platform *said = &details->platform;
    bool one_platform = said->os || said->architecture || said->variant || said->os_version || said->features_count > 0 ||
                        said->os_features_count > 0;
    if (one_platform && (request->all || context->operand_count > 2)) {
        return err_set(err, ERR_INPUT, "%s",
                       request->all ? "both --all and a platform: each image that an index lists has its own"
                                    : "a platform is said of one image: add the others by themselves");
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct add_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO_LIST_EDIT struct list_edit edit = LIST_EDIT_NONE;
    struct list_source_options source = {.all = request->all};
    struct image_ref ref;
    struct list_item *items;
    struct list list;
    size_t count;
    if (list_name_parse(&context->arena, context->operands[0], &ref, err) < 0 ||
        manifest_details_take(context, &request->details, &source.details, err) < 0 || check(context, &source.details, err) < 0 ||
        manifest_read(context, &ref, &list, err) < 0 || // before anything is fetched
        manifest_session_open(context, &request->registry, context->operands + 1, &session, err) < 0 ||
        store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    source.store = store;
    source.registry = session.registry;
    if (manifest_find_items(context, &source, context->operands + 1, &items, &count, err) < 0 ||
        list_edit_begin(&edit, store, &ref, LIST_CHANGE, err) < 0 || list_edit_add(&edit, items, count, err) < 0) {
        return -1;
    }
    return list_edit_commit(&edit, err) < 0 ? -1 : manifest_tell_digest(&edit.list, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 0, struct add_request, all, "Of an index, add all images that it lists, not the host's alone"),
    OPTION_ROWS(manifest_detail_rows, struct add_request, details, struct manifest_details),
    REGISTRY_OPTIONS(struct add_request, registry),
    {0},
};

const struct command command_manifest_add = {
    .name = "add",
    .usage = "LIST IMAGE...",
    .summary = "Add images to a list",
    .description =
        "IMAGE is an image of the store, else of a registry; \"docker://\" in front of it says that it is one of a registry. Of an "
        "index the image for --os, --arch and --variant is added [default: the host's], or with --all every one. An image that is "
        "listed "
        "already takes its old item's place. Prints the digest that the list would have now.",
    .examples = "coffer manifest add app:1 registry.example.com/app:1-arm64\n"
                "coffer manifest add --arch arm --variant v7 app:1 registry.example.com/app:1-armhf",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 2,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct add_request),
    .run = run,
};
