#include "images/save.h"
#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/copy_progress.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <stddef.h>
#include <unistd.h>

struct save_request {
    const char *output;
    int format; // enum save_format
    bool quiet;
};

static int run(struct context *context, struct err *err) {
    const struct save_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_COPY_PROGRESS struct copy_progress shown = {0};
    if (!request->output && isatty(STDOUT_FILENO)) {
        return err_set(err, ERR_INPUT, "standard output is a terminal; give a file with --output, or a pipe");
    }
    AUTO_FD int spool = copy_open_spool(err);
    if (spool < 0 || store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    struct save_options save = {
        .store = store,
        .names = (const char *const *)context->operands,
        .names_count = (size_t)context->operand_count,
        .format = (enum save_format)request->format,
        .path = request->output ? request->output : "-",
        .output_fd = STDOUT_FILENO,
        .spool_fd = spool,
    };
    if (!request->quiet) {
        copy_progress_begin(&shown);
        save.progress = copy_progress_show;
        save.progress_context = &shown;
    }
    return save_images(&save, err);
}

static const char *const formats[] = {[SAVE_DOCKER_ARCHIVE] = "docker-archive", [SAVE_OCI_ARCHIVE] = "oci-archive", NULL};

static const struct option_row options[] = {
    OPTION_STRING("output", 'o', "FILE", struct save_request, output, "Write to FILE in place of standard output",
                  .complete = COMPLETE_FILE),
    OPTION_CHOICE("format", 0, "FORMAT", formats, struct save_request, format,
                  "docker-archive, as docker save writes it, or oci-archive [default docker-archive]"),
    OPTION_FLAG("quiet", 'q', struct save_request, quiet, "Do not show how far it is"),
    {0},
};

const struct command command_save = {
    .name = "save",
    .usage = "IMAGE...",
    .summary = "Write images of the store into an archive",
    .description =
        "The archive has all of the images, and layers that several of them share once. Docker, podman, skopeo and coffer load it. "
        "Layers are the tars that they were, to the last bit, not compressed; the images' ids stay what they are. FILE is replaced "
        "when the new one is whole.\n\nOther targets: coffer copy store:IMAGE TARGET.",
    .examples = "coffer save -o app.tar team/app:1 team/db:2\ncoffer save team/app:1 | zstd | ssh host 'zstd -d | docker load'",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct save_request),
    .run = run,
};
