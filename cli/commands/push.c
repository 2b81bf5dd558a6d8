#include "images/push.h"
#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/copy_progress.h"
#include "cli/registry_session.h"
#include "images/ref.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <stddef.h>
#include <string.h>

struct push_request {
    bool quiet;
    const char *digest_file;
    const char *compression;
    bool pack_all;
    struct registry_flags registry;
};

static int parse_target(struct context *context, struct image_ref *ret, struct err *err) {
    const char *text = registry_reference(context->operands[context->operand_count - 1]);
    const char *hex;
    if (context->operand_count == 1 && image_id_like(text, &hex) && strlen(hex) == 64) {
        return err_set(err, ERR_INPUT, "push %s: an id says no registry; give the target as a second name", text);
    }
    return image_ref_parse(&context->arena, text, ret, err);
}

static int take_compression(const char *text, enum compression *ret, struct err *err) {
    *ret = !text || strcmp(text, "gzip") == 0 ? COMPRESSION_GZIP : strcmp(text, "zstd") == 0 ? COMPRESSION_ZSTD : COMPRESSION_ANY;
    return *ret == COMPRESSION_ANY ? err_set(err, ERR_INPUT, "--compression-format: expected gzip or zstd, found \"%s\"", text) : 0;
}

static int run(struct context *context, struct err *err) {
    const struct push_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_REGISTRY_SESSION struct registry_session others = {0};
    // --tls-verify, --cert-dir and --creds are for the target; layers may come from elsewhere.
    const struct registry_flags plain = {.authfile = request->registry.authfile, .late = true};
    AUTO_COPY_PROGRESS struct copy_progress shown = {0};
    struct image_ref to;
    struct digest digest;
    AUTO_FD int spool = copy_open_spool(err);
    if (spool < 0) {
        return -1;
    }
    enum compression compression;
    if (take_compression(request->compression, &compression, err) < 0 || parse_target(context, &to, err) < 0 ||
        registry_session_open(context, &request->registry, to.registry, &session, err) < 0 ||
        registry_session_open(context, &plain, to.registry, &others, err) < 0 || store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    struct push_options push = {.store = store,
                                .name = context->operands[0],
                                .registry = session.registry,
                                .others = others.registry,
                                .to = &to,
                                .spool_fd = spool,
                                .compression = compression,
                                .pack_all = request->pack_all};
    if (!request->quiet) {
        copy_progress_begin(&shown);
        push.progress = copy_progress_show;
        push.progress_context = &shown;
    }
    if (push_image(&push, &digest, err) < 0) {
        return -1;
    }
    return copy_tell_digest(&digest, request->digest_file, err);
}

static const struct option_row options[] = {
    OPTION_STRING("compression-format", 0, "gzip|zstd", struct push_request, compression,
                  "What layers that are packed anew are compressed with [gzip]"),
    OPTION_STRING("digestfile", 0, "FILE", struct push_request, digest_file, "Write the digest to FILE", .complete = COMPLETE_FILE),
    OPTION_FLAG("force-compression", 0, struct push_request, pack_all, "Pack all layers anew, wherever they may be had"),
    OPTION_FLAG("quiet", 'q', struct push_request, quiet, "Do not show how far it is"),
    REGISTRY_OPTIONS(struct push_request, registry),
    {0},
};

const struct command command_push = {
    .name = "push",
    .usage = "IMAGE [TARGET]",
    .summary = "Bring an image of the store to a registry",
    .description =
        "TARGET is the image's name there [default: IMAGE]. Its manifest is pushed as it came, so that its digest stays what it "
        "is. "
        "Layers that the registry has are not sent again; others are mounted from a repository beside, or brought over from the "
        "registry that the image came from. A layer that is nowhere any more, and those of an image that was imported or loaded "
        "from "
        "an archive of docker's, are packed anew from the store: the image's id stays what it is, its digest becomes another one. "
        "Up to four layers are sent side by side. Prints the digest.",
    .examples = "coffer push registry.example.com/team/app:1\ncoffer push alpine:3 registry.example.com/mirror/alpine:3",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct push_request),
    .run = run,
};
