#include "cli/commands/all.h"
#include "cli/commands/oci_bundle.h"
#include "cli/context.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"

struct create_request {
    struct oci_make_options make;
};

static int run(struct context *context, struct err *err) {
    const struct create_request *request = context->request;
    struct container_options options;
    container_sweep(context->oci_dir);
    if (oci_bundle_read(context, &request->make, &options, err) < 0) {
        return -1;
    }
    return container_create(&options, err) < 0 ? err_in(err, "create container \"%s\"", options.id) : 0;
}

static const struct option_row options[] = {
    OPTION_ROWS(oci_make_rows, struct create_request, make, struct oci_make_options),
    {0},
};

const struct command command_oci_create = {
    .name = "create",
    .usage = "ID",
    .summary = "Create a container from a bundle, ready to start",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct create_request),
    .run = run,
};
