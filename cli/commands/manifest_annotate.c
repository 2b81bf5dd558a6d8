#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"

#include <stddef.h>

struct annotate_request {
    struct manifest_details details;
};

static int run(struct context *context, struct err *err) {
    const struct annotate_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_LIST_EDIT struct list_edit edit = LIST_EDIT_NONE;
    struct list_details details;
    struct image_ref ref;
    size_t at, count;
    char quoted[QUOTE_SIZE];
    const char *word = context->operands[1];
    if (list_name_parse(&context->arena, context->operands[0], &ref, err) < 0 ||
        manifest_details_take(context, &request->details, &details, err) < 0 || store_of(context, &store, NULL, err) < 0 ||
        list_edit_begin(&edit, store, &ref, LIST_CHANGE, err) < 0 ||
        list_find(&edit.list, registry_reference(word), &edit.arena, &at, &count, err) < 0) {
        return -1;
    }
    if (count > 1) {
        return err_set(err, ERR_INPUT, "list %s: %s stands for %zu items; name one of them by its digest",
                       image_ref_familiar(&context->arena, &ref), quote_text(word, quoted), count);
    }
    list_describe(&edit.list.items[at], &details, &edit.arena);
    return list_edit_commit(&edit, err) < 0 ? -1 : manifest_tell_digest(&edit.list, err);
}

static const struct option_row options[] = {
    OPTION_ROWS(manifest_detail_rows, struct annotate_request, details, struct manifest_details),
    {0},
};

const struct command command_manifest_annotate = {
    .name = "annotate",
    .usage = "LIST IMAGE",
    .summary = "Say more of an image in a list",
    .description = "IMAGE is the name it was added by, or its digest. Prints the digest that the list would have now.",
    .examples = "coffer manifest annotate --arch arm --variant v7 app:1 registry.example.com/app:1-armhf",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .request_size = sizeof(struct annotate_request),
    .run = run,
};
