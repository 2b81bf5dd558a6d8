// A repository of a registry. What it has is not sent again; what a repository beside it has is mounted; what must be sent goes
// side by side.
#include "images/copy_target.h"
#include "images/registry.h"
#include "images/sender.h"
#include "runtime/base/err.h"

#include <string.h>

static int open_sender(struct copy_target *target, const char *rest, struct err *err) {
    const struct copy_options *options = target->options;
    struct sender *sender = arena_alloc(&target->arena, sizeof(*sender));
    (void)rest;
    (void)err;
    *sender = (struct sender){.registry = options->to.registry,
                              .to = options->to.ref,
                              .progress = options->progress,
                              .progress_context = options->progress_context};
    target->state = sender;
    return 0;
}

static void finish(struct copy_target *target) {
    sender_finish(target->state);
}

static int has(struct copy_target *target, const struct copy_part *part, enum copy_state *ret_state, struct err *err) {
    const struct copy_end *from = &target->options->from, *to = &target->options->to;
    uint64_t there;
    *ret_state = COPY_PRESENT;
    if (sender_settle(target->state, &part->digest, err) < 0) {
        return -1;
    }
    int found = registry_has_blob(to->registry, to->ref, &part->digest, &there, err);
    if (found != 0 || !from->registry || strcmp(from->ref->registry, to->ref->registry) != 0 ||
        strcmp(from->ref->repository, to->ref->repository) == 0) {
        return found;
    }
    *ret_state = COPY_MOUNTED;
    return registry_mount_blob(to->registry, to->ref, &part->digest, from->ref->repository, err);
}

// An upload that is cut off goes on from anywhere: it is a file, not a stream.
static int put(struct copy_target *target, struct copy_part *part, struct err *err) {
    struct source_blob blob;
    const char *digest = part->descriptor->digest;
    if (source_blob(part->source, part->descriptor, &blob, err) < 0) {
        return strstr(err->text, digest) ? -1 : err_in(err, "blob %s", digest);
    }
    return sender_add(target->state, &part->digest, &blob, err) < 0 ? -1 : 1;
}

static int put_document(struct copy_target *target, const char *media_type, const struct source_document *document, bool is_root,
                        struct err *err) {
    const struct copy_end *to = &target->options->to;
    char digest[DIGEST_TEXT_SIZE];
    struct digest taken;
    struct image_ref ref = *to->ref;
    if (sender_wait(target->state, err) < 0) { // what it names is there before it is
        return -1;
    }
    if (!is_root || !ref.tag) {
        ref.tag = NULL;
        ref.digest = digest_format(&document->digest, digest);
    }
    return registry_put_manifest(to->registry, &ref, media_type, document->text, document->size, &taken, err);
}

const struct copy_target_ops copy_target_registry = {
    .keeps_urls = true,
    .names_blobs = true,
    .open = open_sender,
    .finish = finish,
    .has = has,
    .put = put,
    .put_document = put_document,
};
