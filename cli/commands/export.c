#include "cli/commands/all.h"
#include "cli/commands/engine.h"
#include "cli/context.h"
#include "images/new_archive.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/engine/commit.h"

#include <stddef.h>
#include <unistd.h>

struct export_request {
    const char *output;
};

static int run(struct context *context, struct err *err) {
    const struct export_request *request = context->request;
    const struct engine engine = engine_of(context);
    AUTO_NEW_ARCHIVE struct new_archive archive = {.fd = -1, .dir_fd = -1, .file = {.fd = -1}};
    uint64_t left_out;
    if (new_archive_open(&archive, request->output ? request->output : "-", STDOUT_FILENO, err) < 0 ||
        engine_export(&engine, context->operands[0], archive.fd, &left_out, err) < 0 || new_archive_done(&archive, err) < 0) {
        return -1;
    }
    if (left_out > 0) {
        log_warn("%llu sockets were left out", (unsigned long long)left_out);
    }
    return 0;
}

static const struct option_row options[] = {
    OPTION_STRING("output", 'o', "FILE", struct export_request, output, "Write to FILE in place of standard output",
                  .complete = COMPLETE_FILE),
    {0},
};

const struct command command_export = {
    .name = "export",
    .usage = "CONTAINER",
    .summary = "Write a container's files as one tar archive",
    .description = "All files of its root file system, those of its image too, with their owners as the container sees them; not what lies in "
                   "volumes and other mounts. \"coffer import\" makes an image of one layer of it. FILE is replaced when the new one is whole.",
    .examples = "coffer export -o web.tar web\ncoffer export web | tar -tv",
    .group = COMMAND_GROUP_CONTAINERS,
    .min_operands = 1,
    .max_operands = 1,
    .operands = COMPLETE_CONTAINER,
    .options = options,
    .request_size = sizeof(struct export_request),
    .run = run,
};
