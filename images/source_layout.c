// OCI image layouts, as a directory or as an archive of one. (OCI image-spec v1.1, image-layout.md.)
//
// index.json is the root of trust: it alone has no digest. Everything below it is held against its descriptor, size first, before
// it is decoded. An index.json lists images of different names, and may list one image for several platforms, straight or in an
// index of its own.
#include "images/layout_index.h"
#include "images/source_state.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/json.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NESTING = 4 };

static const char containerd_annotation[] = "io.containerd.image.name";

static const char *annotation(const struct image_descriptor *descriptor, const char *name) {
    return image_annotation(descriptor->annotations, descriptor->annotations_count, name);
}

static const char *blob_path(const struct source *source, const struct image_descriptor *descriptor, const struct digest *digest,
                             char room[SOURCE_BLOB_PATH_SIZE]) {
    enum image_manifest_kind kind;
    for (size_t i = 0; i < source->parts_count; i++) {
        if (digest_equal(&source->parts[i].digest, digest)) {
            return source->parts[i].name;
        }
    }
    if (source->kind == SOURCE_DIR) {
        snprintf(room, SOURCE_BLOB_PATH_SIZE, "%s%s", digest->hex,
                 image_media_type_is_manifest(descriptor->media_type, &kind) ? ".manifest.json" : "");
    } else {
        snprintf(room, SOURCE_BLOB_PATH_SIZE, "blobs/%s/%s", digest_algorithm_name(digest->algorithm), digest->hex);
    }
    return room;
}

int source_find_blob(struct source *source, const struct image_descriptor *descriptor, char room[SOURCE_BLOB_PATH_SIZE],
                     const char **ret_path, struct source_blob *ret_blob, struct err *err) {
    struct digest digest;
    if (digest_parse(descriptor->digest, &digest, err) < 0) {
        return -1;
    }
    const char *path = *ret_path = blob_path(source, descriptor, &digest, room);
    if (source->kind == SOURCE_REGISTRY || source_store_layer(source, &digest)) {
        *ret_blob = (struct source_blob){.fd = -1, .size = (uint64_t)descriptor->size};
        return 0;
    }
    int found = source_find(source, path, ret_blob, err);
    if (found <= 0) {
        return found < 0                     ? -1
               : descriptor->urls_count == 0 ? err_set(err, ERR_INPUT, "%s is missing", path)
                                             : source_say_elsewhere(descriptor->urls[0], err);
    }
    if (ret_blob->size != (uint64_t)descriptor->size) {
        return err_set(err, ERR_CORRUPT, "%s: expected %lld bytes, found %llu", path, (long long)descriptor->size,
                       (unsigned long long)ret_blob->size);
    }
    return 0;
}

// What is embedded must be the blob itself: else a reader of the one would see something else than a reader of the other.
static int check_data(const struct image_descriptor *descriptor, const struct digest *digest, struct err *err) {
    if (!descriptor->data) {
        return 0;
    }
    size_t length = strlen(descriptor->data), size = BASE64_DECODE_LENGTH(length) + 1;
    AUTO_FREE uint8_t *data = mem_alloc(size);
    struct base64_decode_ctx context;
    struct digest found;
    base64_decode_init(&context);
    if (!base64_decode_update(&context, &size, data, length, descriptor->data) || !base64_decode_final(&context)) {
        return err_set(err, ERR_INPUT, "%s: its embedded data is not base64", descriptor->digest);
    }
    digest_of(digest->algorithm, data, size, &found);
    if (!digest_equal(&found, digest)) {
        return err_set(err, ERR_CORRUPT, "%s: its embedded data is something else", descriptor->digest);
    }
    return 0;
}

// Reads a document and proves that it is what the descriptor says.
int source_document(struct source *source, const struct image_descriptor *descriptor, struct arena *arena,
                    struct source_document *ret, struct err *err) {
    struct digest digest, found;
    struct source_blob blob;
    char room[SOURCE_BLOB_PATH_SIZE], text[DIGEST_TEXT_SIZE];
    const char *path;
    if (digest_parse(descriptor->digest, &digest, err) < 0 || source_find_blob(source, descriptor, room, &path, &blob, err) < 0) {
        return -1;
    }
    if (source->kind == SOURCE_REGISTRY) {
        return source_registry_read(source, descriptor, &digest, arena, ret, err) < 0 ? -1 : check_data(descriptor, &digest, err);
    }
    if (source_read(source, path, arena, ret, err) < 0) {
        return -1;
    }
    digest_of(digest.algorithm, ret->text, ret->size, &found);
    if (!digest_equal(&found, &digest)) {
        return err_set(err, ERR_CORRUPT, "%s: its digest is %s", path, digest_format(&found, text));
    }
    ret->digest = digest;
    return check_data(descriptor, &digest, err);
}

int source_blob(struct source *source, const struct image_descriptor *descriptor, struct source_blob *ret, struct err *err) {
    struct digest digest;
    char room[SOURCE_BLOB_PATH_SIZE];
    const char *path;
    if (digest_parse(descriptor->digest, &digest, err) < 0 || source_find_blob(source, descriptor, room, &path, ret, err) < 0) {
        return -1;
    }
    const char *layer = source_store_layer(source, &digest);
    if (layer) {
        return source_store_pack(source, layer, ret, err);
    }
    if (ret->fd >= 0 || source_registry_blob(source, &digest, ret->size, ret, err) == 0) {
        return 0;
    }
    return err->kind == ERR_NOT_FOUND && descriptor->urls_count > 0 ? source_say_elsewhere(descriptor->urls[0], err) : -1;
}

static int take_layer(struct source *source, const struct image_descriptor *descriptor, struct source_layer *layer,
                      struct err *err) {
    static const enum compression compressions[] = {
        [IMAGE_LAYER_TAR] = COMPRESSION_NONE,
        [IMAGE_LAYER_GZIP] = COMPRESSION_GZIP,
        [IMAGE_LAYER_ZSTD] = COMPRESSION_ZSTD,
    };
    enum image_layer_kind kind;
    char quoted[QUOTE_SIZE];
    if (!image_media_type_is_layer(descriptor->media_type, &kind)) {
        return err_set(err, ERR_UNSUPPORTED, "mediaType %s is of no kind of layer that can be unpacked",
                       quote_text(descriptor->media_type, quoted));
    }
    layer->name = descriptor->digest;
    layer->url = descriptor->urls_count > 0 ? descriptor->urls[0] : NULL;
    layer->compression = compressions[kind];
    char room[SOURCE_BLOB_PATH_SIZE];
    const char *path;
    return digest_parse(descriptor->digest, &layer->digest, err) < 0
               ? -1
               : source_find_blob(source, descriptor, room, &path, &layer->blob, err);
}

static int take_layers(struct source *source, struct source_list *list, const char *name, const struct image_manifest *manifest,
                       struct source_image *image, struct err *err) {
    image->layers = arena_array(list->arena, manifest->layers_count + 1, sizeof(*image->layers));
    image->layers_count = manifest->layers_count;
    for (size_t i = 0; i < manifest->layers_count; i++) {
        if (take_layer(source, &manifest->layers[i], &image->layers[i], err) < 0) {
            return err_in(err, "%s: layers[%zu]", name, i);
        }
    }
    return 0;
}

static int take_manifest(struct source *source, struct source_list *list, const struct source_document *document,
                         const struct image_manifest *manifest, struct err *err) {
    char name[DIGEST_TEXT_SIZE], quoted[QUOTE_SIZE];
    digest_format(&document->digest, name);
    if (!image_media_type_is_config(manifest->config.media_type)) {
        return err_set(err, ERR_UNSUPPORTED, "%s: it is no image of a container: config.mediaType is %s", name,
                       quote_text(manifest->config.media_type, quoted));
    }
    struct source_image *image = source_list_add(list);
    image->manifest = *document;
    if (source_document(source, &manifest->config, list->arena, &image->document, err) < 0) {
        return err_in(err, "%s: config", name);
    }
    if (take_layers(source, list, name, manifest, image, err) < 0) {
        return -1;
    }
    return source_take_config(list, image, manifest->config.digest, err);
}

static int take_descriptor(struct source *source, struct source_list *list, const struct image_descriptor *descriptor,
                           unsigned depth, struct err *err);

static void describe(struct buf *text, const struct image_platform *platform) {
    const char *variant = platform->variant && *platform->variant ? platform->variant : NULL;
    buf_add_format(text, "%s%s/%s%s%s", text->size > 0 ? ", " : "", platform->os ? platform->os : "?",
                   platform->architecture ? platform->architecture : "?", variant ? "/" : "", variant ? variant : "");
}

static int no_match(const struct source *source, const struct image_descriptor *items, size_t count, struct err *err) {
    AUTO_BUF struct buf wanted = {0}, found = {0};
    describe(&wanted, source->platform);
    for (size_t i = 0; i < count && found.size < 200; i++) {
        if (items[i].platform && !image_descriptor_is_attestation(&items[i])) {
            describe(&found, items[i].platform);
        }
    }
    char quoted[QUOTE_SIZE];
    return err_set(err, ERR_NOT_FOUND, "has no image for %s, only for %s", buf_string(&wanted),
                   found.size > 0 ? quote_text(found.data, quoted) : "nothing");
}

// Of equals the first. What says no platform is taken for the right one when nothing else is: an index within the index, or an
// image whose configuration says it.
const struct image_descriptor *source_choose(const struct source *source, const struct image_descriptor *items, size_t count,
                                             struct err *err) {
    const struct image_descriptor *best = NULL;
    unsigned best_rank = 0;
    for (size_t i = 0; i < count; i++) {
        enum image_manifest_kind kind;
        const struct image_platform *platform = items[i].platform;
        if (image_descriptor_is_attestation(&items[i]) || !image_media_type_is_manifest(items[i].media_type, &kind)) {
            continue;
        }
        unsigned rank = platform && platform->os ? 2 * image_platform_rank(platform, source->platform) : 1;
        if (rank > best_rank) {
            best = &items[i];
            best_rank = rank;
        }
    }
    if (!best) {
        no_match(source, items, count, err);
    }
    return best;
}

static int take_best(struct source *source, struct source_list *list, const struct image_descriptor *items, size_t count,
                     unsigned depth, struct err *err) {
    const struct image_descriptor *best = source_choose(source, items, count, err);
    return best ? take_descriptor(source, list, best, depth, err) : -1;
}

static int take_descriptor(struct source *source, struct source_list *list, const struct image_descriptor *descriptor,
                           unsigned depth, struct err *err) {
    struct source_document document;
    if (depth > MAX_NESTING) {
        return err_set(err, ERR_INPUT, "%s: indexes are nested more than %d deep", descriptor->digest, MAX_NESTING);
    }
    if (source_document(source, descriptor, list->arena, &document, err) < 0) {
        return -1;
    }
    return source_take_document(source, list, descriptor->digest, descriptor->media_type, &document, depth, err);
}

int source_take_document(struct source *source, struct source_list *list, const char *name, const char *media_type,
                         const struct source_document *document, unsigned depth, struct err *err) {
    struct image_manifest manifest;
    const struct json_document json = {.name = name, .text = document->text, .size = document->size};
    if (image_manifest_decode(&json, media_type, list->arena, &manifest, err) < 0) {
        return -1;
    }
    if (manifest.kind == IMAGE_MANIFEST) {
        return take_manifest(source, list, document, &manifest, err);
    }
    if (take_best(source, list, manifest.manifests, manifest.manifests_count, depth + 1, err) < 0) {
        return err_in(err, "%s", name);
    }
    return 0;
}

// "images/app.oci.tar" -> "app": what an image is called that only has a tag.
static const char *base_name(struct arena *arena, const char *path) {
    static const char *const endings[] = {".gz", ".zst", ".tgz", ".tar", ".oci", ".docker"};
    AUTO_FREE char *copy = mem_copy_string(path);
    size_t length = strlen(copy);
    while (length > 0 && copy[length - 1] == '/') {
        copy[--length] = '\0';
    }
    char *slash = strrchr(copy, '/');
    char *name = slash ? slash + 1 : copy;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t end = strlen(endings[i]), have = strlen(name);
        if (have > end && strcmp(name + have - end, endings[i]) == 0) {
            name[have - end] = '\0';
        }
    }
    return arena_copy_string(arena, name);
}

static bool try_name(struct source_list *list, struct source_image *image, const char *text) {
    struct err ignored;
    struct image_ref ref;
    if (image_ref_parse(list->arena, text, &ref, &ignored) < 0) {
        return false;
    }
    image->names = arena_array(list->arena, 1, sizeof(*image->names));
    image->names[0] = ref;
    image->names_count = 1;
    return true;
}

// A whole reference, where there is one; else the layout's own name with the tag. What makes no name leaves the image without one.
static void name_image(const struct source *source, struct source_list *list, struct source_image *image,
                       const struct image_descriptor *descriptor) {
    const char *whole = annotation(descriptor, containerd_annotation), *ref = annotation(descriptor, LAYOUT_REF_ANNOTATION);
    if (whole && try_name(list, image, whole)) {
        return;
    }
    if (ref && strpbrk(ref, "/:") && try_name(list, image, ref)) {
        return;
    }
    const char *tag = ref && image_tag_valid(ref) ? ref : "latest";
    (void)try_name(list, image, arena_format(list->arena, "%s:%s", base_name(list->arena, source->path), tag));
}

static bool is_wanted(const struct source *source, const struct image_descriptor *descriptor) {
    const char *ref = annotation(descriptor, LAYOUT_REF_ANNOTATION), *whole = annotation(descriptor, containerd_annotation);
    return !source->wanted || (ref && strcmp(ref, source->wanted) == 0) || (whole && strcmp(whole, source->wanted) == 0) ||
           strcmp(descriptor->digest, source->wanted) == 0;
}

static const char *group_of(const struct image_descriptor *descriptor) {
    const char *ref = annotation(descriptor, LAYOUT_REF_ANNOTATION), *whole = annotation(descriptor, containerd_annotation);
    return whole ? whole : ref ? ref : "";
}

// The entries from `first` on that have its name: one image, perhaps for several platforms. They are collected, and marked as done.
static int take_group(struct source *source, struct source_list *list, const struct image_manifest *index, size_t first, bool *done,
                      struct err *err) {
    AUTO_FREE struct image_descriptor *group = mem_array(index->manifests_count, sizeof(*group));
    size_t count = 0, before = list->count;
    const char *name = group_of(&index->manifests[first]);
    for (size_t i = first; i < index->manifests_count; i++) {
        if (!done[i] && is_wanted(source, &index->manifests[i]) && strcmp(group_of(&index->manifests[i]), name) == 0) {
            done[i] = true;
            group[count++] = index->manifests[i];
        }
    }
    if (take_best(source, list, group, count, 0, err) < 0) {
        return -1;
    }
    if (list->count > before) {
        name_image(source, list, &list->images[list->count - 1], &group[0]);
    }
    return 0;
}

static int nothing_found(const struct source *source, const struct image_manifest *index, struct err *err) {
    AUTO_BUF struct buf names = {0};
    char wanted[QUOTE_SIZE], found[QUOTE_SIZE];
    for (size_t i = 0; i < index->manifests_count && names.size < 200; i++) {
        const char *name = group_of(&index->manifests[i]);
        buf_add_format(&names, "%s%s", names.size > 0 ? ", " : "", *name ? name : index->manifests[i].digest);
    }
    if (index->manifests_count == 0) {
        return err_set(err, ERR_NOT_FOUND, "index.json: it lists no image");
    }
    return err_set(err, ERR_NOT_FOUND, "index.json: it lists no image %s, only %s", quote_text(source->wanted, wanted),
                   quote_text(buf_string(&names), found));
}

struct layout {
    const char *version;
};

static const struct json_row layout_rows[] = {
    ROW_STRING("imageLayoutVersion", struct layout, version, JSON_NEEDED),
};
static const struct json_table layout_table = JSON_TABLE(struct layout, layout_rows);

static int check_version(struct source *source, struct arena *arena, struct err *err) {
    struct source_blob blob;
    struct source_document text;
    struct layout layout = {0};
    char quoted[QUOTE_SIZE];
    int found = source_find(source, "oci-layout", &blob, err);
    if (found <= 0) {
        return found; // its absence is a mistake that some tools make
    }
    if (source_read(source, "oci-layout", arena, &text, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = "oci-layout", .text = text.text, .size = text.size};
    if (json_decode(&document, &layout_table, arena, &layout, err) < 0) {
        return -1;
    }
    if (strncmp(layout.version, "1.", 2) != 0) {
        return err_set(err, ERR_UNSUPPORTED, "oci-layout: imageLayoutVersion: expected 1.0.0, found %s",
                       quote_text(layout.version, quoted));
    }
    return 0;
}

static int read_index(struct source *source, struct arena *arena, struct image_manifest *ret, struct err *err) {
    struct source_document text;
    if (check_version(source, arena, err) < 0 || source_read(source, "index.json", arena, &text, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = "index.json", .text = text.text, .size = text.size};
    if (image_manifest_decode(&document, NULL, arena, ret, err) < 0) {
        return -1;
    }
    return ret->kind == IMAGE_INDEX ? 0 : err_set(err, ERR_INPUT, "index.json: expected an index, found an image's manifest");
}

int source_layout_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) {
    struct image_manifest index;
    const struct image_descriptor *found = NULL;
    if (read_index(source, arena, &index, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < index.manifests_count; i++) {
        const struct image_descriptor *item = &index.manifests[i];
        if (is_wanted(source, item) && found && strcmp(found->digest, item->digest) != 0) {
            return err_set(err, ERR_INPUT, "index.json: it lists several images; name one behind a colon, such as %s:%s",
                           source->path, *group_of(found) ? group_of(found) : found->digest);
        }
        found = is_wanted(source, item) ? item : found;
    }
    if (!found) {
        return nothing_found(source, &index, err);
    }
    if (source_document(source, found, arena, &ret->document, err) < 0) {
        return -1;
    }
    ret->media_type = found->media_type;
    ret->name = *group_of(found) ? group_of(found) : NULL;
    ret->reference = ret->name && strchr(ret->name, '/') ? ret->name : NULL;
    return 0;
}

int source_layout_images(struct source *source, struct source_list *list, struct err *err) {
    struct image_manifest index;
    if (read_index(source, list->arena, &index, err) < 0) {
        return -1;
    }
    bool *done = arena_array(list->arena, index.manifests_count + 1, sizeof(*done));
    for (size_t i = 0; i < index.manifests_count; i++) {
        if (done[i] || !is_wanted(source, &index.manifests[i]) || image_descriptor_is_attestation(&index.manifests[i])) {
            continue;
        }
        if (take_group(source, list, &index, i, done, err) < 0) {
            return err_in(err, "index.json");
        }
    }
    return list->count > 0 ? 0 : nothing_found(source, &index, err);
}
