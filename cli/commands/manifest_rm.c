// Taking lists away, and what is in them.
#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <stddef.h>

static const struct option_row options[] = {
    {0},
};

// All names are tried; the first error is the one that is told, behind what was done.
static int run_rm(struct context *context, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    AUTO_BUF struct buf text = {0};
    int result = 0;
    if (store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    for (int i = 0; i < context->operand_count; i++) {
        struct image_ref ref;
        struct err wrong = {0};
        if (list_name_parse(&context->arena, context->operands[i], &ref, &wrong) == 0 && list_remove(store, &ref, &wrong) == 0) {
            buf_add_format(&text, "Deleted: %s\n", image_ref_familiar(&context->arena, &ref));
        } else if (result == 0) {
            *err = wrong;
            result = -1;
        }
    }
    struct err unwritten = {0};
    if (output_write(&text, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -1;
    }
    return result;
}

const struct command command_manifest_rm = {
    .name = "rm",
    .usage = "LIST...",
    .summary = "Remove lists; what they list stays",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .options = options,
    .run = run_rm,
};

static int run_remove(struct context *context, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    AUTO_LIST_EDIT struct list_edit edit = LIST_EDIT_NONE;
    struct image_ref ref;
    if (list_name_parse(&context->arena, context->operands[0], &ref, err) < 0 || store_of(context, &store, NULL, err) < 0 ||
        list_edit_begin(&edit, store, &ref, LIST_CHANGE, err) < 0) {
        return -1;
    }
    for (int i = 1; i < context->operand_count; i++) {
        if (list_edit_remove(&edit, registry_reference(context->operands[i]), err) < 0) {
            return -1;
        }
    }
    return list_edit_commit(&edit, err) < 0 ? -1 : manifest_tell_digest(&edit.list, err);
}

const struct command command_manifest_remove = {
    .name = "remove",
    .usage = "LIST DIGEST...",
    .summary = "Take images out of a list",
    .description = "Or by the name that the image was added by. Prints the digest that the list would have now.",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 2,
    .max_operands = COMMAND_ANY_COUNT,
    .options = options,
    .run = run_remove,
};
