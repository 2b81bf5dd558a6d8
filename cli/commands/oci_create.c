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
    .description = "The bundle is a directory with config.json and the root file system (runtime specification 1.3). Annotations of config.json "
                   "that begin with run.coffer.landlock. restrict the container's process, and every exec, by Landlock, on top of all else "
                   "and for any user:\n\n"
                   "run.coffer.landlock.ro, .rx and .rw are absolute paths in the container with colons between. Below those of ro files and "
                   "directories may be read, below those of rx programs may be executed, too, and below those of rw all may be read and "
                   "changed, but nothing executed; a path in two lists has the rights of both. One of them denies all other files, and changes "
                   "of mounts. A program needs its interpreter or dynamic loader and its libraries, too: rx=/bin:/lib:/usr, rw=/tmp:/dev.\n\n"
                   "run.coffer.landlock.tcp.bind and .tcp.connect are ports with commas between, and deny all other TCP ports (Linux 6.7). An "
                   "empty list allows nothing.\n\n"
                   "A host whose kernel cannot do it is an error, or a warning with run.coffer.landlock.required set to false. Before Linux "
                   "6.2 files can be truncated anywhere, before 5.19 not moved between directories. Hooks are not restricted.",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct create_request),
    .run = run,
};
