#include "cli/commands/all.h"
#include "cli/complete.h"
#include "cli/context.h"
#include "cli/output.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>

static int run(struct context *context, struct err *err) {
    static const struct {
        const char *name;
        void (*make)(struct buf *buf);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    AUTO_BUF struct buf buf = {0};
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        if (strcmp(context->operands[0], shells[i].name) == 0) {
            shells[i].make(&buf);
            return output_write(&buf, err);
        }
    }
    return err_set(err, ERR_INPUT, "completion: expected bash, zsh or fish, found \"%s\"", context->operands[0]);
}

const struct command command_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "Print completions for a shell",
    .examples = "source <(coffer completion bash)",
    .group = COMMAND_GROUP_OTHER,
    .flags = COMMAND_STATELESS,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
