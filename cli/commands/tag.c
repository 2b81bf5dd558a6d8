#include "cli/commands/all.h"
#include "cli/commands/image_events.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "images/catalog.h"
#include "images/ref.h"
#include "runtime/base/err.h"

#include <stddef.h>

static int run(struct context *context, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    struct image_ref ref;
    if (image_ref_parse(&context->arena, context->operands[1], &ref, err) < 0) {
        return -1;
    }
    if (ref.digest) {
        return err_set(err, ERR_INPUT, "tag %s: a digest cannot be given, it is what the image has", context->operands[1]);
    }
    if (store_of(context, &store, NULL, err) < 0 || catalog_tag(store, context->operands[0], &ref, err) < 0) {
        return -1;
    }
    image_announce(context, "tag", context->operands[0], image_ref_familiar(&context->arena, &ref));
    return 0;
}

static const struct option_row options[] = {
    {0},
};

const struct command command_tag = {
    .name = "tag",
    .usage = "IMAGE NAME",
    .summary = "Give an image another name",
    .examples = "coffer tag alpine:3 registry.example.com/team/alpine:3",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 2,
    .max_operands = 2,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .run = run,
};
