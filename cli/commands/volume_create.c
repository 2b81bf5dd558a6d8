#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/home.h"
#include "runtime/engine/volume_store.h"

#include <stddef.h>

struct create_request {
    const char *driver, *name;
    struct strv labels, options;
};

static int run(struct context *context, struct err *err) {
    const struct create_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_HOME struct home home = HOME_CLOSED;
    AUTO_BUF struct buf line = {0};
    const char *name;
    const struct volume_wish wish = {
        .name = context->operand_count > 0 ? context->operands[0] : request->name,
        .driver = request->driver,
        .labels = &request->labels,
        .options = &request->options,
    };
    if (request->name && context->operand_count > 0) {
        return err_set(err, ERR_INPUT, "--name %s: there is a name behind the options already; leave out one of them", request->name);
    }
    if (home_open(&engine, &home, err) < 0 || volume_create(&home, &context->arena, &wish, &name, err) < 0) {
        return -1;
    }
    buf_add_format(&line, "%s\n", name);
    return output_write(&line, err);
}

static const struct option_row options[] = {
    OPTION_STRING("driver", 'd', "NAME", struct create_request, driver, "local, which is the only one"),
    OPTION_LIST("label", 0, "KEY=VALUE", struct create_request, labels, "Note this about the volume"),
    OPTION_LIST("opt", 'o', "KEY=VALUE", struct create_request, options,
                "type=none, o=bind and device=DIRECTORY: show this directory of the host"),
    OPTION_STRING("name", 0, "NAME", struct create_request, name, "As the operand", .hidden = true),
    {0},
};

const struct command command_volume_create = {
    .name = "create",
    .usage = "[NAME]",
    .summary = "Make a volume",
    .description = "Prints its name; without one a name is made up. A volume that is there already is left as it is.\n\n"
                   "\"coffer run --volume NAME:/path\" makes missing volumes by itself.",
    .examples = "coffer volume create data\ncoffer volume create -o type=none -o o=bind -o device=/srv/data data",
    .group = COMMAND_GROUP_CONTAINERS,
    .max_operands = 1,
    .options = options,
    .request_size = sizeof(struct create_request),
    .run = run,
};
