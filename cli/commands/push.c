#include "images/push.h"
#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/copy_progress.h"
#include "cli/output.h"
#include "cli/registry_session.h"
#include "images/ref.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

// What comes from one registry and goes to another rests there, without a name; /tmp may be memory.
#define SPOOL_DIR "/var/tmp"

struct push_request {
    bool quiet;
    const char *digest_file;
    struct registry_flags registry;
};

static int parse_target(struct context *context, struct image_ref *ret, struct err *err) {
    static const char scheme[] = "docker://"; // skopeo's and podman's word for a registry
    const char *text = context->operands[context->operand_count - 1];
    text += strncmp(text, scheme, sizeof(scheme) - 1) == 0 ? sizeof(scheme) - 1 : 0;
    const char *hex;
    if (context->operand_count == 1 && image_id_like(text, &hex) && strlen(hex) == 64) {
        return err_set(err, ERR_INPUT, "push %s: an id says no registry; give the target as a second name", text);
    }
    return image_ref_parse(&context->arena, text, ret, err);
}

static int run(struct context *context, struct err *err) {
    const struct push_request *request = context->request;
    AUTO_STORE struct store *store = NULL;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_REGISTRY_SESSION struct registry_session others = {0};
    // --tls-verify, --cert-dir and --creds are for the target; layers may come from elsewhere.
    const struct registry_flags plain = {.authfile = request->registry.authfile};
    AUTO_COPY_PROGRESS struct copy_progress shown = {0};
    AUTO_BUF struct buf text = {0};
    struct image_ref to;
    struct digest digest;
    char digest_text[DIGEST_TEXT_SIZE];
    AUTO_FD int spool = open(SPOOL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool < 0) {
        return err_sys(err, "open %s", SPOOL_DIR);
    }
    if (parse_target(context, &to, err) < 0 || registry_session_open(context, &request->registry, to.registry, &session, err) < 0 ||
        registry_session_open(context, &plain, to.registry, &others, err) < 0 || store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    struct push_options push = {.store = store,
                                .name = context->operands[0],
                                .registry = session.registry,
                                .others = others.registry,
                                .to = &to,
                                .spool_fd = spool};
    if (!request->quiet) {
        copy_progress_begin(&shown);
        push.progress = copy_progress_show;
        push.progress_context = &shown;
    }
    if (push_image(&push, &digest, err) < 0) {
        return -1;
    }
    digest_format(&digest, digest_text);
    if (request->digest_file && copy_write_digest(request->digest_file, digest_text, err) < 0) {
        return -1;
    }
    buf_add_format(&text, "%s\n", digest_text);
    return output_write(&text, err);
}

static const struct option_row options[] = {
    OPTION_STRING("digestfile", 0, "FILE", struct push_request, digest_file, "Write the digest to FILE", .complete = COMPLETE_FILE),
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
        "registry that the image came from. Prints the digest.",
    .examples = "coffer push registry.example.com/team/app:1\ncoffer push alpine:3 registry.example.com/mirror/alpine:3",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 2,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct push_request),
    .run = run,
};
