#include "cli/manual.h"
#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"

#include <stddef.h>

static int run(struct context *context, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    if (context->operand_count == 0) {
        manual_names(&buf);
    } else if (manual_page(context->operands[0], &buf, err) < 0) {
        return -1;
    }
    return output_write(&buf, err);
}

const struct command command_manual = {
    .name = "__man",
    .usage = "[PAGE]",
    .summary = "Print a manual page in mdoc, or the names of all pages",
    .group = COMMAND_GROUP_OTHER,
    .flags = COMMAND_STATELESS | COMMAND_HIDDEN,
    .max_operands = 1,
    .run = run,
};
