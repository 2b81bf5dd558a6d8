#include "cli/help.h"
#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <unistd.h>

static int run(struct context *context, struct err *err) {
    const struct command *command = &command_coffer;
    const char *path = command->name;
    for (int i = 0; i < context->operand_count; i++) {
        const struct command *found = command_find(command, context->operands[i]);
        if (!found) {
            return err_set(err, ERR_NOT_FOUND, "help: %s has no command %s", path, context->operands[i]);
        }
        command = found;
        path = arena_format(&context->arena, "%s %s", path, found->name);
    }
    AUTO_BUF struct buf buf = {0};
    help_format(command, path, output_width(STDOUT_FILENO), &buf);
    return output_write(&buf, err);
}

const struct command command_help = {
    .name = "help",
    .usage = "[COMMAND...]",
    .summary = "Show help for a command",
    .group = COMMAND_GROUP_OTHER,
    .flags = COMMAND_STATELESS,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_COMMAND,
    .run = run,
};
