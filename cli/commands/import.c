#include "images/import.h"
#include "cli/commands/all.h"
#include "cli/commands/image_events.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/output.h"
#include "images/change.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct import_request {
    struct strv changes;
    const char *message;
    const char *platform;
};

static int run(struct context *context, struct err *err) {
    const struct import_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_BUF struct buf text = {0};
    struct image_ref name;
    struct image_platform platform;
    struct import_options options = {.source = context->operands[0], .input_fd = STDIN_FILENO, .message = request->message};
    if (strcmp(options.source, "-") == 0 && isatty(STDIN_FILENO)) {
        return err_set(err, ERR_INPUT, "standard input is a terminal; give an archive or a directory, or a pipe");
    }
    if (context->operand_count > 1) {
        if (image_ref_parse(&context->arena, context->operands[1], &name, err) < 0) {
            return -1;
        }
        if (name.digest) {
            return err_set(err, ERR_INPUT, "image name %s: a digest cannot be given, it is what the image gets",
                           context->operands[1]);
        }
        options.name = &name;
    }
    if (request->platform) {
        if (image_platform_parse(&context->arena, request->platform, &platform, err) < 0) {
            return -1;
        }
        options.platform = &platform;
    }
    for (size_t i = 0; i < request->changes.count; i++) {
        if (image_change(&context->arena, &options.settings, request->changes.items[i], err) < 0) {
            return -1;
        }
    }
    if (store_of(context, &store, &options.single_id, err) < 0) {
        return -1;
    }
    options.devices = context->rootless ? UNPACK_DEVICES_REFUSE : UNPACK_DEVICES_MAKE;
    const char *id;
    if (import_image(store, &options, &context->arena, &id, err) < 0) {
        return -1;
    }
    image_announce(context, "import", id, NULL);
    buf_add_format(&text, "%s\n", id);
    return output_write(&text, err);
}

static const struct option_row options[] = {
    OPTION_LIST("change", 'c', "INSTRUCTION", struct import_request, changes,
                "Set what a Dockerfile would: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR"),
    OPTION_STRING("message", 'm', "TEXT", struct import_request, message, "Write TEXT into the image's history"),
    OPTION_STRING("platform", 0, "OS/ARCH[/VARIANT]", struct import_request, platform,
                  "Say that it is for this platform [default: the host's]"),
    {0},
};

const struct command command_import = {
    .name = "import",
    .usage = "DIRECTORY|TAR|- [NAME]",
    .summary = "Make an image of a root file system",
    .description =
        "A directory, or a tar archive, plain or compressed with gzip or zstd, becomes the only layer of a new image. The same "
        "directory gives the same layer; sockets in it are left out.",
    .examples = "coffer import rootfs.tar.zst debian:mine\n"
                "mmdebstrap bookworm - | coffer import -c 'CMD bash' - debian:mine",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_FILE,
    .options = options,
    .request_size = sizeof(struct import_request),
    .run = run,
};
