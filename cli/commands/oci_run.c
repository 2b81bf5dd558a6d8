#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"

struct run_request {
    struct oci_make_options make;
    bool detach;
    bool keep;
};

static int run(struct context *context, struct err *err) {
    const struct run_request *request = context->request;
    struct container_options options;
    int status;
    container_sweep(context->oci_dir);
    if (oci_bundle_read(context, &request->make, &options, err) < 0) {
        return -1;
    }
    options.keep = request->keep;
    options.last_act = !request->detach;
    return container_run(&options, request->detach, &status, err) < 0 ? err_in(err, "run container \"%s\"", options.id) : status;
}

static const struct option_row options[] = {
    OPTION_ROWS(oci_make_rows, struct run_request, make, struct oci_make_options),
    OPTION_FLAG("detach", 'd', struct run_request, detach, "Return as soon as the container runs"),
    OPTION_FLAG("keep", 0, struct run_request, keep, "Leave the container there when it has ended, until it is deleted"),
    {0},
};

const struct command command_oci_run = {
    .name = "run",
    .usage = "ID",
    .summary = "Create a container from a bundle, start it, and remove it when it has ended",
    .description = "What config.json may hold beside the runtime specification is told by coffer-oci create --help.",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct run_request),
    .run = run,
};
