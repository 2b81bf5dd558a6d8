#include "images/copy.h"

#include "images/copy_target.h"
#include "images/source.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "specs/image_manifest.h"
#include "specs/json.h"

#include <string.h>

enum { MAX_NESTING = 4, MAX_BLOBS = 100 * 1000 };

struct copy {
    const struct copy_options *options;
    struct source *source;
    struct copy_target target;
    size_t blobs; // seen: an index may name many
    struct arena arena;
};

static void copy_finish(struct copy *copy) {
    source_close(copy->source);
    copy_target_finish(&copy->target);
    arena_finish(&copy->arena);
}

static void tell(const struct copy *copy, const struct image_descriptor *blob, enum copy_state state) {
    if (copy->options->progress) {
        copy->options->progress(copy->options->progress_context, blob->digest, state, (uint64_t)blob->size, (uint64_t)blob->size);
    }
}

static int copy_blob(struct copy *copy, const struct image_descriptor *descriptor, struct err *err) {
    enum copy_state state;
    struct copy_target *target = &copy->target;
    struct copy_part part = {
        .options = copy->options, .source = copy->source, .descriptor = descriptor, .size = (uint64_t)descriptor->size};
    if (++copy->blobs > MAX_BLOBS) {
        return err_set(err, ERR_INPUT, "the image has more than %d blobs", MAX_BLOBS);
    }
    if (digest_parse(descriptor->digest, &part.digest, err) < 0) {
        return -1;
    }
    int has = target->ops->has(target, &part, &state, err);
    if (has > 0) {
        tell(copy, descriptor, state);
        return 0;
    }
    int put = has < 0 ? -1 : target->ops->put(target, &part, err);
    if (put < 0) {
        bool is_named = target->ops->names_blobs || strstr(err->text, descriptor->digest); // by a registry
        return is_named ? -1 : err_in(err, "blob %s", descriptor->digest);
    }
    if (put == 0) {
        tell(copy, descriptor, COPY_SENT);
    }
    return 0;
}

static int copy_parts(struct copy *copy, const struct image_manifest *manifest, const char *name, struct err *err) {
    struct copy_target *target = &copy->target;
    if (target->ops->begin && target->ops->begin(target, manifest, err) < 0) {
        return err_in(err, "%s", name);
    }
    if (copy_blob(copy, &manifest->config, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < manifest->layers_count; i++) {
        if (target->ops->keeps_urls && image_descriptor_is_foreign(&manifest->layers[i])) {
            tell(copy, &manifest->layers[i], COPY_FOREIGN);
        } else if (copy_blob(copy, &manifest->layers[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int copy_document(struct copy *copy, const char *media_type, const struct source_document *document, unsigned depth,
                         struct digest *ret_digest, struct err *err);

// What an index lists comes with its own name, its digest; of one image that was chosen it is the root now.
static int copy_item(struct copy *copy, const struct image_descriptor *item, unsigned depth, struct digest *ret_digest,
                     struct err *err) {
    struct source_document document;
    enum image_manifest_kind kind;
    if (depth > MAX_NESTING) {
        return err_set(err, ERR_INPUT, "%s: indexes are nested more than %d deep", item->digest, MAX_NESTING);
    }
    if (!image_media_type_is_manifest(item->media_type, &kind)) {
        return copy_blob(copy, item, err);
    }
    if (source_document(copy->source, item, &copy->arena, &document, err) < 0) {
        return -1;
    }
    return copy_document(copy, item->media_type, &document, depth, ret_digest, err);
}

static int copy_document(struct copy *copy, const char *media_type, const struct source_document *document, unsigned depth,
                         struct digest *ret_digest, struct err *err) {
    struct image_manifest *manifest = arena_alloc(&copy->arena, sizeof(*manifest)); // the target may keep it
    char name[DIGEST_TEXT_SIZE];
    const struct json_document json = {
        .name = digest_format(&document->digest, name), .text = document->text, .size = document->size};
    if (image_manifest_decode(&json, media_type, &copy->arena, manifest, err) < 0) {
        return -1;
    }
    if (manifest->kind == IMAGE_INDEX && !copy->options->all) {
        const struct image_descriptor *best = source_choose(copy->source, manifest->manifests, manifest->manifests_count, err);
        return best ? copy_item(copy, best, depth + 1, ret_digest, err) : err_in(err, "%s", name);
    }
    for (size_t i = 0; manifest->kind == IMAGE_INDEX && i < manifest->manifests_count; i++) {
        if (copy_item(copy, &manifest->manifests[i], depth + 1, NULL, err) < 0) {
            return -1;
        }
    }
    if (manifest->kind == IMAGE_MANIFEST && copy_parts(copy, manifest, name, err) < 0) {
        return -1;
    }
    const char *type = manifest->media_type ? manifest->media_type : media_type;
    if (!type) {
        return err_set(err, ERR_INPUT, "%s: nobody says its mediaType", name);
    }
    if (ret_digest) {
        *ret_digest = document->digest;
    }
    return copy->target.ops->put_document(&copy->target, type, document, ret_digest != NULL, err);
}

int copy_image(const struct copy_options *options, struct digest *ret_digest, struct err *err) {
    AUTO(copy_finish) struct copy copy = {.options = options};
    struct copy_target *target = &copy.target;
    struct source_root root;
    struct digest digest;
    const struct source_request request = {
        .text = options->from.text,
        .registry = options->from.registry,
        .ref = options->from.ref,
        .beside = options->to.registry,
        .store = options->from.store,
        .input_fd = options->input_fd,
        .spool_fd = options->spool_fd,
        .platform = options->platform,
    };
    if (source_open(&request, &copy.source, err) < 0 || source_root(copy.source, &copy.arena, &root, err) < 0 ||
        copy_target_init(target, options, err) < 0) {
        return -1;
    }
    if (!target->tag && root.name && image_tag_valid(root.name)) {
        target->tag = root.name;
    }
    if (!target->reference) {
        target->reference = root.reference;
    }
    if (copy_document(&copy, root.media_type, &root.document, 0, &digest, err) < 0 ||
        (target->ops->end && target->ops->end(target, &digest, err) < 0)) {
        return -1;
    }
    *ret_digest = digest;
    return 0;
}
