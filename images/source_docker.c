// Archives of `docker save`: manifest.json names, for each image, the member with its configuration and those with its layers.
//
// Nothing in such an archive has a digest but the layers' diff ids in the configuration, and the configuration's own name, where it
// is made of one. Layers are plain tars, but compressed ones are in the wild; a layer may be a link to another member.
#include "images/pack.h"
#include "images/source_state.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <string.h>

// "HEX.json", "blobs/sha256/HEX": the name is the digest.
static int check_name(const char *name, const struct digest *digest, struct err *err) {
    const char *slash = strrchr(name, '/');
    const char *hex = slash ? slash + 1 : name;
    size_t length = strspn(hex, "0123456789abcdef");
    if (length == strlen(digest->hex) && (hex[length] == '\0' || hex[length] == '.') && strncmp(hex, digest->hex, length) != 0) {
        return err_set(err, ERR_CORRUPT, "%s: its digest is sha256:%s", name, digest->hex);
    }
    return 0;
}

static int take_layers(struct source *source, struct source_list *list, const struct image_archive_item *item,
                       struct source_image *image, struct err *err) {
    image->layers = arena_array(list->arena, item->layers_count + 1, sizeof(*image->layers));
    image->layers_count = item->layers_count;
    for (size_t i = 0; i < item->layers_count; i++) {
        struct source_layer *layer = &image->layers[i];
        layer->name = item->layers[i];
        layer->compression = COMPRESSION_ANY;
        int found = source_find(source, layer->name, &layer->blob, err);
        if (found <= 0) {
            char quoted[QUOTE_SIZE];
            return found < 0
                       ? -1
                       : err_set(err, ERR_INPUT, "Layers[%zu]: the archive has no member %s", i, quote_text(layer->name, quoted));
        }
    }
    return 0;
}

static int take_names(struct source_list *list, const struct image_archive_item *item, struct source_image *image,
                      struct err *err) {
    image->names = arena_array(list->arena, item->repo_tags_count + 1, sizeof(*image->names));
    for (size_t i = 0; i < item->repo_tags_count; i++) {
        if (image_ref_parse(list->arena, item->repo_tags[i], &image->names[i], err) < 0) {
            return err_in(err, "RepoTags[%zu]", i);
        }
        image->names_count++;
    }
    return 0;
}

static int take_item(struct source *source, struct source_list *list, const struct image_archive_item *item, struct err *err) {
    struct source_image *image = source_list_add(list);
    if (take_names(list, item, image, err) < 0 || source_read(source, item->config, list->arena, &image->document, err) < 0 ||
        check_name(item->config, &image->document.digest, err) < 0 || take_layers(source, list, item, image, err) < 0) {
        return -1;
    }
    return source_take_config(list, image, item->config, err);
}

static bool is_wanted(struct arena *arena, const char *wanted, const struct image_archive_item *item) {
    struct image_ref ref, other;
    struct err ignored;
    if (!wanted) {
        return true;
    }
    bool sound = image_ref_parse(arena, wanted, &ref, &ignored) == 0;
    for (size_t i = 0; sound && i < item->repo_tags_count; i++) {
        if (image_ref_parse(arena, item->repo_tags[i], &other, &ignored) == 0 && strcmp(ref.name, other.name) == 0 && ref.tag &&
            strcmp(ref.tag, other.tag ? other.tag : "") == 0) {
            return true;
        }
    }
    return false;
}

static int read_items(struct source *source, struct arena *arena, struct image_archive_item **ret_items, size_t *ret_count,
                      struct err *err) {
    struct source_document text;
    if (source_read(source, "manifest.json", arena, &text, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = "manifest.json", .text = text.text, .size = text.size};
    return image_archive_decode(&document, arena, ret_items, ret_count, err);
}

static int nothing_found(const struct source *source, struct err *err) {
    char quoted[QUOTE_SIZE];
    return source->wanted ? err_set(err, ERR_NOT_FOUND, "manifest.json: it lists no image %s", quote_text(source->wanted, quoted))
                          : err_set(err, ERR_NOT_FOUND, "manifest.json: it lists no image");
}

int source_docker_images(struct source *source, struct source_list *list, struct err *err) {
    struct image_archive_item *items;
    size_t count;
    if (read_items(source, list->arena, &items, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(list->arena, source->wanted, &items[i]) && take_item(source, list, &items[i], err) < 0) {
            return err_in(err, "manifest.json: [%zu]", i);
        }
    }
    return list->count > 0 ? 0 : nothing_found(source, err);
}

// --- a manifest for what has none ---

static int several(const struct source *source, const struct image_archive_item *item, struct err *err) {
    return err_set(err, ERR_INPUT, "manifest.json: it lists several images; name one behind a colon, such as %s:%s", source->path,
                   item->repo_tags_count > 0 ? item->repo_tags[0] : "NAME:TAG");
}

// A plain layer's digest is its diff id, which is proven when it is written; that of a compressed one nobody has said yet.
static int layer_digest(struct source_layer *layer, struct err *err) {
    const struct source_blob *blob = &layer->blob;
    layer->compression = source_compression(blob->fd, blob->offset);
    layer->digest = layer->diff_id;
    return layer->compression == COMPRESSION_NONE
               ? 0
               : digest_of_file(blob->fd, blob->offset, blob->size, DIGEST_SHA256, layer->name, &layer->digest, err);
}

static struct image_descriptor part_of(struct arena *arena, const char *media_type, const struct digest *digest, uint64_t size) {
    char text[DIGEST_TEXT_SIZE];
    return (struct image_descriptor){
        .media_type = media_type, .digest = arena_copy_string(arena, digest_format(digest, text)), .size = (int64_t)size};
}

static void write_manifest(const struct source_image *image, struct arena *arena, struct buf *text) {
    struct json_writer writer = {.buf = text};
    const struct image_manifest manifest = {
        .config = part_of(arena, IMAGE_OCI_CONFIG, &image->document.digest, image->document.size),
        .layers = arena_array(arena, image->layers_count + 1, sizeof(*manifest.layers)),
        .layers_count = image->layers_count,
    };
    for (size_t i = 0; i < image->layers_count; i++) {
        const struct source_layer *layer = &image->layers[i];
        manifest.layers[i] = part_of(arena, pack_media_type(NULL, layer->compression), &layer->digest, layer->blob.size);
    }
    image_manifest_write(&writer, &manifest);
}

static int describe(struct source *source, struct arena *arena, const char *config, struct source_image *image,
                    struct source_root *ret, struct err *err) {
    AUTO_BUF struct buf text = {0};
    struct source_part *parts = arena_array(arena, image->layers_count + 1, sizeof(*parts));
    parts[0] = (struct source_part){.digest = image->document.digest, .name = config};
    for (size_t i = 0; i < image->layers_count; i++) {
        if (layer_digest(&image->layers[i], err) < 0) {
            return -1;
        }
        parts[i + 1] = (struct source_part){.digest = image->layers[i].digest, .name = image->layers[i].name};
    }
    source->parts = parts;
    source->parts_count = image->layers_count + 1;
    write_manifest(image, arena, &text);
    ret->media_type = IMAGE_OCI_MANIFEST;
    ret->document = (struct source_document){.text = arena_copy(arena, text.data, text.size), .size = text.size};
    digest_of(DIGEST_SHA256, text.data, text.size, &ret->document.digest);
    if (image->names_count > 0) {
        ret->name = image->names[0].tag;
        ret->reference = image_ref_full(arena, &image->names[0]);
    }
    return 0;
}

int source_docker_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) {
    struct source_list list = {.arena = arena};
    struct image_archive_item *items;
    size_t count, chosen = 0;
    if (read_items(source, arena, &items, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(arena, source->wanted, &items[i])) {
            continue;
        }
        if (list.count > 0) {
            return several(source, &items[i], err);
        }
        if (take_item(source, &list, &items[i], err) < 0) {
            return err_in(err, "manifest.json: [%zu]", i);
        }
        chosen = i;
    }
    return list.count > 0 ? describe(source, arena, items[chosen].config, &list.images[0], ret, err) : nothing_found(source, err);
}
