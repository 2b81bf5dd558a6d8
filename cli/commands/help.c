#include "cli/help.h"
#include "cli/commands/all.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <string.h>
#include <unistd.h>

static int run(struct context *context, struct err *err) {
    // It is one of the low level's commands, too: what stands before its name tells whose.
    const char *path = arena_format(&context->arena, "%.*s", (int)(strlen(context->path) - strlen(" help")), context->path);
    const struct command *command = strcmp(path, command_coffer.name) == 0 ? &command_coffer : &command_oci;
    for (int i = 0; i < context->operand_count; i++) {
        const struct command *found = command_find(command, context->operands[i]);
        if (!found) {
            return err_set(err, ERR_NOT_FOUND, "help: %s has no command %s; %s --help lists them", path, context->operands[i], path);
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
