#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "runtime/base/err.h"

#include <stddef.h>

struct create_request {
    bool all;
    bool amend;
    struct strv annotations;
    struct registry_flags registry;
};

static void take_annotations(struct list_edit *edit, const struct list_details *details) {
    struct list *list = &edit->list;
    struct list_item whole = {.descriptor = {.annotations = list->annotations, .annotations_count = list->annotations_count}};
    list_describe(&whole, details, &edit->arena);
    list->annotations = whole.descriptor.annotations;
    list->annotations_count = whole.descriptor.annotations_count;
}

static int run(struct context *context, struct err *err) {
    const struct create_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO_LIST_EDIT struct list_edit edit = LIST_EDIT_NONE;
    struct image_ref ref;
    struct list_item *items;
    struct list_details details = {0};
    size_t count;
    if (list_name_parse(&context->arena, context->operands[0], &ref, err) < 0 ||
        manifest_annotations(context, &request->annotations, &details.annotations, &details.annotations_count, err) < 0 ||
        manifest_session_open(context, &request->registry, context->operands + 1, &session, err) < 0 ||
        store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    if (!request->amend && list_exists(store, &ref)) { // before anything is fetched
        return list_is_there(&context->arena, &ref, err);
    }
    const struct list_source_options source = {.store = store, .registry = session.registry, .all = request->all};
    if (manifest_find_items(context, &source, context->operands + 1, &items, &count, err) < 0 ||
        list_edit_begin(&edit, store, &ref, request->amend ? LIST_EITHER : LIST_NEW, err) < 0 ||
        list_edit_add(&edit, items, count, err) < 0) {
        return -1;
    }
    take_annotations(&edit, &details);
    return list_edit_commit(&edit, err) < 0 ? -1 : manifest_tell_digest(&edit.list, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("all", 0, struct create_request, all, "Of an index, add all images that it lists, not the host's alone"),
    OPTION_FLAG("amend", 'a', struct create_request, amend, "Add to the list, if it is there already"),
    OPTION_LIST("annotation", 0, "NAME=VALUE", struct create_request, annotations, "Give the list this annotation"),
    REGISTRY_OPTIONS(struct create_request, registry),
    {0},
};

const struct command command_manifest_create = {
    .name = "create",
    .usage = "LIST [IMAGE...]",
    .summary = "Make a list of images",
    .description =
        "IMAGE is an image of the store, else of a registry; \"docker://\" in front of it says that it is one of a registry. "
        "The platforms are those of the images' configurations. Prints the digest that the list would have now.",
    .examples =
        "coffer manifest create registry.example.com/app:1 registry.example.com/app:1-amd64 registry.example.com/app:1-arm64",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct create_request),
    .run = run,
};
