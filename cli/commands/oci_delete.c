#include "cli/commands/all.h"
#include "cli/context.h"
#include "runtime/container/container.h"

struct delete_request {
    bool force;
};

static int run(struct context *context, struct err *err) {
    const struct delete_request *request = context->request;
    return container_delete(context->oci_dir, context->operands[0], request->force, err);
}

static const struct option_row options[] = {
    OPTION_FLAG("force", 'f', struct delete_request, force, "Kill a running container first; one that does not exist is no error"),
    {0},
};

const struct command command_oci_delete = {
    .name = "delete",
    .usage = "ID",
    .summary = "Remove a stopped container and what was made for it",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct delete_request),
    .run = run,
};
