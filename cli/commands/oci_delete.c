#include "cli/commands/all.h"
#include "cli/commands/oci_match.h"
#include "cli/context.h"
#include "runtime/container/container.h"

struct delete_request {
    bool force;
    bool regex;
};

static int delete_one(struct context *context, const char *id, struct err *err) {
    const struct delete_request *request = context->request;
    return container_delete(context->oci_dir, id, request->force, err);
}

static int run(struct context *context, struct err *err) {
    const struct delete_request *request = context->request;
    return request->regex ? oci_match(context, context->operands[0], delete_one, err) : delete_one(context, context->operands[0], err);
}

static const struct option_row options[] = {
    OPTION_FLAG("force", 'f', struct delete_request, force, "Kill a running container first; one that does not exist is no error"),
    OPTION_FLAG("regex", 'r', struct delete_request, regex, "Delete all containers whose ids the regular expression in place of ID matches"),
    {0},
};

const struct command command_oci_delete = {
    .name = "delete",
    .usage = "ID",
    .summary = "Remove a stopped container and what was made for it",
    .examples = "coffer-oci delete web\n# All that begin with test-, running or not\ncoffer-oci delete --force --regex '^test-'",
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct delete_request),
    .run = run,
};
