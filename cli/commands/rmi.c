#include "cli/commands/all.h"
#include "cli/commands/image_events.h"
#include "cli/commands/removal.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/catalog.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"

#include <stddef.h>

struct rmi_request {
    bool force;
};

// All names are tried; the first error is the one that is told, behind what was done.
static int remove_all(struct context *context, const struct store *store, struct buf *buf, struct err *err) {
    const struct rmi_request *request = context->request;
    bool deleted_any = false;
    int result = 0;
    for (int i = 0; i < context->operand_count; i++) {
        AUTO_STRV struct strv untagged = {0}, deleted = {0};
        struct catalog_removal removal = {&untagged, &deleted};
        struct err wrong = {0};
        if (catalog_remove(store, context->operands[i], request->force, &removal, &wrong) < 0 && result == 0) {
            *err = wrong;
            result = -1;
        }
        removal_add(buf, &removal);
        image_announce_removal(context, &removal);
        deleted_any = deleted_any || deleted.count > 0;
    }
    if (deleted_any) {
        struct err wrong = {0};
        uint64_t bytes = 0;
        if (removal_collect(store, buf, &bytes, &wrong) < 0 && result == 0) {
            *err = wrong;
            result = -1;
        }
    }
    return result;
}

static int run(struct context *context, struct err *err) {
    AUTO_STORE struct store *store = NULL;
    AUTO_BUF struct buf buf = {0};
    struct err unwritten = {0};
    if (store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    int result = remove_all(context, store, &buf, err);
    if (output_write(&buf, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -1;
    }
    return result;
}

static const struct option_row options[] = {
    OPTION_FLAG("force", 'f', struct rmi_request, force, "Remove all names of an image, or the name of one that a container runs"),
    {0},
};

const struct command command_rmi = {
    .name = "rmi",
    .usage = "IMAGE...",
    .summary = "Remove images",
    .description =
        "A name goes alone while the image has others; with its last name the image goes, and the layers that no other image has. "
        "An image that a container runs stays.",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct rmi_request),
    .run = run,
};

const struct command command_image_rm = {
    .name = "rm",
    .aliases = "remove",
    .usage = "IMAGE...",
    .summary = "Remove images",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct rmi_request),
    .run = run,
};
