#include "cli/commands/all.h"
#include "cli/commands/manifest.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/copy_progress.h"
#include "images/list_push.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <stddef.h>

struct push_request {
    struct opt_bool all;
    bool remove;
    bool quiet;
    int format; // enum list_format
    const char *digest_file;
    struct registry_flags registry;
};

static const char *const formats[] = {"oci", "v2s2", NULL};

static int parse(struct context *context, struct image_ref *ret_list, struct image_ref *ret_to, struct err *err) {
    const char *text = registry_reference(context->operands[context->operand_count - 1]);
    return list_name_parse(&context->arena, context->operands[0], ret_list, err) < 0 ||
                   list_name_parse(&context->arena, text, ret_to, err) < 0
               ? -1
               : 0;
}

// --tls-verify, --cert-dir and --creds are for the target; images may be elsewhere.
static int open_others(struct context *context, const struct list *list, const char *host, struct registry_session *ret,
                       struct err *err) {
    const struct push_request *request = context->request;
    const struct registry_flags plain = {.authfile = request->registry.authfile, .late = true};
    if (registry_session_open(context, &plain, host, ret, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list->items_count; i++) {
        struct image_ref ref;
        struct err ignored;
        if (image_ref_parse(&context->arena, list->items[i].name, &ref, &ignored) == 0 &&
            registry_session_expect(context, ret, ref.registry, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct push_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_REGISTRY_SESSION struct registry_session others = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO_COPY_PROGRESS struct copy_progress shown = {0};
    struct image_ref ref, to;
    struct list list;
    struct digest digest;
    AUTO_FD int spool = copy_open_spool(err);
    if (spool < 0 || parse(context, &ref, &to, err) < 0 || manifest_read(context, &ref, &list, err) < 0 ||
        registry_session_open(context, &request->registry, to.registry, &session, err) < 0 ||
        open_others(context, &list, to.registry, &others, err) < 0 || store_of(context, &store, NULL, err) < 0) {
        return -1;
    }
    struct list_push_options push = {
        .store = store,
        .list = &list,
        .registry = session.registry,
        .others = others.registry,
        .to = &to,
        .format = (enum list_format)request->format,
        .only_index = request->all.set && !request->all.value,
        .spool_fd = spool,
    };
    if (!request->quiet) {
        copy_progress_begin(&shown);
        push.progress = copy_progress_show;
        push.progress_context = &shown;
    }
    if (list_push(&push, &digest, err) < 0) {
        return err_in(err, "list %s", image_ref_familiar(&context->arena, &ref));
    }
    if (request->remove && list_remove(store, &ref, err) < 0) {
        return -1;
    }
    return copy_tell_digest(&digest, request->digest_file, err);
}

static const struct option_row options[] = {
    OPTION_OPT_FLAG("all", 0, struct push_request, all,
                    "Bring the images that are listed there, too; with =false they must be there [default true]"),
    OPTION_CHOICE("format", 'f', "FORMAT", formats, struct push_request, format,
                  "Push an OCI index (oci), or docker's manifest list (v2s2) [default oci]"),
    OPTION_FLAG("purge", 'p', struct push_request, remove, "Remove the list when it is pushed"),
    OPTION_FLAG("rm", 0, struct push_request, remove, "The same as --purge"),
    OPTION_STRING("digestfile", 0, "FILE", struct push_request, digest_file, "Write the digest to FILE", .complete = COMPLETE_FILE),
    OPTION_FLAG("quiet", 'q', struct push_request, quiet, "Do not show how far it is"),
    REGISTRY_OPTIONS(struct push_request, registry),
    {0},
};

const struct command command_manifest_push = {
    .name = "push",
    .usage = "LIST [TARGET]",
    .summary = "Bring a list and its images to a registry",
    .description =
        "TARGET is the list's name there [default: LIST]. The images stay what they are, byte for byte; what is in the target's "
        "registry is not sent again. Prints the digest.",
    .examples = "coffer manifest push registry.example.com/app:1\ncoffer manifest push --purge app:1 registry.example.com/app:1",
    .group = COMMAND_GROUP_IMAGES,
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .request_size = sizeof(struct push_request),
    .run = run,
};
