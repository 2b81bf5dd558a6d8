// Archives of `docker save`: manifest.json names, for each image, the member with its configuration and those with its layers.
//
// Nothing in such an archive has a digest but the layers' diff ids in the configuration, and the configuration's own name, where it
// is made of one. Layers are plain tars, but compressed ones are in the wild; a layer may be a link to another member.
#include "images/source_state.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "specs/json.h"

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

int source_docker_images(struct source *source, struct source_list *list, struct err *err) {
    struct source_document text;
    struct image_archive_item *items;
    size_t count;
    if (source_read(source, "manifest.json", list->arena, &text, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = "manifest.json", .text = text.text, .size = text.size};
    if (image_archive_decode(&document, list->arena, &items, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(list->arena, source->wanted, &items[i]) && take_item(source, list, &items[i], err) < 0) {
            return err_in(err, "manifest.json: [%zu]", i);
        }
    }
    char quoted[QUOTE_SIZE];
    if (list->count == 0) {
        return source->wanted
                   ? err_set(err, ERR_NOT_FOUND, "manifest.json: it lists no image %s", quote_text(source->wanted, quoted))
                   : err_set(err, ERR_NOT_FOUND, "manifest.json: it lists no image");
    }
    return 0;
}
