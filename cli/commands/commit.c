#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/engine/commit.h"

#include <stddef.h>

struct commit_options {
    const char *author, *message;
    struct strv changes;
    struct opt_bool pause;
};

static int run(struct context *context, struct err *err) {
    const struct commit_options *request = context->request;
    const struct engine engine = engine_of(context);
    struct image_ref name;
    AUTO_BUF struct buf text = {0};
    if (context->operand_count > 1) {
        if (image_ref_parse(&context->arena, context->operands[1], &name, err) < 0) {
            return -1;
        }
        if (name.digest) {
            return err_set(err, ERR_INPUT, "image name %s: a digest cannot be given, it is what the image gets", context->operands[1]);
        }
    }
    const struct commit_request commit = {
        .container = context->operands[0],
        .name = context->operand_count > 1 ? &name : NULL,
        .author = request->author,
        .message = request->message,
        .changes = &request->changes,
        .pause = !request->pause.set || request->pause.value,
    };
    const char *id;
    uint64_t left_out;
    if (engine_commit(&engine, &commit, &context->arena, &id, &left_out, err) < 0) {
        return -1;
    }
    if (left_out > 0) {
        log_warn("%llu sockets were left out", (unsigned long long)left_out);
    }
    buf_add_format(&text, "%s\n", id);
    return output_write(&text, err);
}

static const struct option_row options[] = {
    OPTION_STRING("author", 'a', "NAME", struct commit_options, author, "Say who made it, such as \"Jane Doe <jane@example.com>\""),
    OPTION_LIST("change", 'c', "INSTRUCTION", struct commit_options, changes,
                "Set what a Dockerfile would: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR"),
    OPTION_STRING("message", 'm', "TEXT", struct commit_options, message, "Write TEXT into the image's history"),
    OPTION_OPT_FLAG("pause", 'p', struct commit_options, pause, "Hold a running container meanwhile; --pause=false does not [default true]"),
    {0},
};

const struct command command_commit = {
    .name = "commit",
    .usage = "CONTAINER [NAME]",
    .summary = "Make an image of a container's files",
    .description = "The image has the layers of the container's own and, as one more, what the container has changed. It is run as the "
                   "container was, but for what --change sets. What lies in volumes and other mounts is not in it.\n\n"
                   "Prints the image's id.",
    .examples = "coffer commit -m 'with tools' web web:tools\ncoffer commit -c 'CMD [\"serve\"]' -c 'ENV MODE=test' web",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct commit_options),
    .run = run,
};
