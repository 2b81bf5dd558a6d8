#include "images/list_push.h"

#include "images/catalog.h"
#include "images/push.h"
#include "images/registry.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#include <string.h>

struct pushing {
    const struct list_push_options *options;
    struct arena arena;
};

static void pushing_finish(struct pushing *pushing) {
    arena_finish(&pushing->arena);
}

// "sha256:... (linux/arm64)", for messages.
static const char *text_of(struct pushing *pushing, const struct list_item *item) {
    return arena_format(&pushing->arena, "%s (%s)", item->descriptor.digest,
                        list_platform_text(&pushing->arena, item->descriptor.platform));
}

// The repository with an item's digest.
static struct image_ref by_digest(const struct image_ref *ref, const struct list_item *item) {
    struct image_ref named = *ref;
    named.tag = NULL;
    named.digest = item->descriptor.digest;
    return named;
}

// An image whose layers are nowhere is packed anew, and has another digest there (images/push.h): that one is listed.
static int take_new_digest(struct pushing *pushing, struct list_item *item, const struct digest *digest, struct err *err) {
    char text[DIGEST_TEXT_SIZE];
    struct registry_manifest manifest;
    if (strcmp(digest_format(digest, text), item->descriptor.digest) == 0) {
        return 0;
    }
    item->descriptor.digest = arena_copy_string(&pushing->arena, text);
    const struct image_ref ref = by_digest(pushing->options->to, item);
    if (registry_get_manifest(pushing->options->registry, &ref, false, &pushing->arena, &manifest, err) < 0) {
        return -1;
    }
    item->descriptor.size = (int64_t)manifest.size;
    return 0;
}

static int push_from_store(struct pushing *pushing, struct list_item *item, struct err *err) {
    const struct list_push_options *options = pushing->options;
    struct catalog_image image;
    struct digest digest;
    struct image_ref to = *options->to;
    to.tag = NULL;
    const struct push_options push = {
        .store = options->store,
        .name = item->image,
        .registry = options->registry,
        .others = options->others,
        .to = &to,
        .spool_fd = options->spool_fd,
        .compression = COMPRESSION_GZIP,
        .progress = options->progress,
        .progress_context = options->progress_context,
    };
    if (catalog_get(options->store, item->image, &pushing->arena, &image, err) < 0) {
        return err->kind == ERR_NOT_FOUND
                   ? err_set(
                         err, ERR_NOT_FOUND,
                         "%s was added from the store as %s, and is not there any more; bring it back, or remove it from the list",
                         text_of(pushing, item), item->name)
                   : -1;
    }
    if (push_image(&push, &digest, err) < 0) {
        return err_in(err, "%s", text_of(pushing, item));
    }
    return take_new_digest(pushing, item, &digest, err);
}

static int push_from_registry(struct pushing *pushing, const struct list_item *item, const struct image_ref *to, struct err *err) {
    const struct list_push_options *options = pushing->options;
    struct image_ref from;
    struct digest digest;
    if (image_ref_parse(&pushing->arena, item->name, &from, err) < 0) {
        return -1;
    }
    from = by_digest(&from, item);
    bool same = strcmp(from.registry, to->registry) == 0;
    const struct copy_options copy = {
        .from = {.registry = same ? options->registry : options->others, .ref = &from},
        .to = {.registry = options->registry, .ref = to},
        .input_fd = -1,
        .spool_fd = options->spool_fd,
        .all = true,
        .progress = options->progress,
        .progress_context = options->progress_context,
    };
    return copy_image(&copy, &digest, err) < 0 ? err_in(err, "%s", text_of(pushing, item)) : 0;
}

// Where the manifest is, its parts are: registries take none without them.
static int push_item(struct pushing *pushing, struct list_item *item, struct err *err) {
    const struct list_push_options *options = pushing->options;
    const struct image_ref to = by_digest(options->to, item);
    int there = registry_has_manifest(options->registry, &to, err);
    if (there != 0) {
        return there < 0 ? -1 : 0;
    }
    if (options->only_index) {
        return err_set(err, ERR_NOT_FOUND, "%s is not in %s, and with --all=false nothing is brought there", text_of(pushing, item),
                       image_ref_familiar_name(to.name));
    }
    return item->image ? push_from_store(pushing, item, err) : push_from_registry(pushing, item, &to, err);
}

int list_push(const struct list_push_options *options, struct digest *ret_digest, struct err *err) {
    AUTO(pushing_finish) struct pushing pushing = {.options = options};
    AUTO_BUF struct buf text = {0};
    struct list list = *options->list;
    if (list.items_count == 0) {
        return err_set(err, ERR_STATE, "there is nothing in it; add images first (coffer manifest add)");
    }
    if (list_render(&list, options->format, &text, err) < 0) { // before anything is sent
        return -1;
    }
    list.items = arena_array(&pushing.arena, list.items_count, sizeof(*list.items));
    for (size_t i = 0; i < list.items_count; i++) {
        list.items[i] = options->list->items[i];
        if (push_item(&pushing, &list.items[i], err) < 0) {
            return -1;
        }
    }
    buf_clear(&text);
    if (list_render(&list, options->format, &text, err) < 0) {
        return -1;
    }
    return registry_put_manifest(options->registry, options->to, list_media_type(options->format), text.data, text.size, ret_digest,
                                 err);
}
