#include "specs/image_manifest.h"

#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "specs/json.h"

#include <string.h>

static int take_size(struct json_reader *reader, json_t *value, void *into) {
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return json_expected_exact(reader, "a size in bytes", value);
    }
    *(int64_t *)into = json_integer_value(value);
    return 0;
}

static const struct json_row platform_rows[] = {
    ROW_STRING("os", struct image_platform, os, 0),
    ROW_STRING("architecture", struct image_platform, architecture, 0),
    ROW_STRING("variant", struct image_platform, variant, 0),
    ROW_STRING("os.version", struct image_platform, os_version, 0),
    ROW_STRINGS("os.features", struct image_platform, os_features, 0),
    ROW_STRINGS("features", struct image_platform, features, 0),
};
static const struct json_table platform_table = JSON_TABLE(struct image_platform, platform_rows);

static const struct json_row descriptor_rows[] = {
    ROW_STRING("mediaType", struct image_descriptor, media_type, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("digest", struct image_descriptor, digest, JSON_NEEDED),
    ROW_CUSTOM("size", struct image_descriptor, size, int64_t, take_size, JSON_NEEDED),
    ROW_POINTER("platform", struct image_descriptor, platform, struct image_platform, platform_table, 0),
    ROW_STRINGS("urls", struct image_descriptor, urls, 0),
    ROW_PAIRS("annotations", struct image_descriptor, annotations, 0),
    ROW_STRING("data", struct image_descriptor, data, 0),
    ROW_STRING("artifactType", struct image_descriptor, artifact_type, 0),
};
const struct json_table image_descriptor_table = JSON_TABLE(struct image_descriptor, descriptor_rows);

// Manifest and index in one: which of the two it is shows by what it has.
struct document {
    struct image_manifest manifest;
    struct image_descriptor *config;
};

static const struct json_row document_rows[] = {
    ROW_U32("schemaVersion", struct document, manifest.schema_version, JSON_NEEDED),
    ROW_STRING("mediaType", struct document, manifest.media_type, 0),
    ROW_STRING("artifactType", struct document, manifest.artifact_type, 0),
    ROW_POINTER("config", struct document, config, struct image_descriptor, image_descriptor_table, 0),
    ROW_LIST("layers", struct document, manifest.layers, struct image_descriptor, image_descriptor_table, 0),
    ROW_LIST("manifests", struct document, manifest.manifests, struct image_descriptor, image_descriptor_table, 0),
    ROW_PAIRS("annotations", struct document, manifest.annotations, 0),
};
static const struct json_table document_table = JSON_TABLE(struct document, document_rows);

// The old schema 1 has neither and is told by its version; an empty index is one, too.
static int find_kind(const struct json_document *document, const struct document *decoded, enum image_manifest_kind *ret,
                     struct err *err) {
    const struct image_manifest *manifest = &decoded->manifest;
    if (manifest->schema_version != 2) {
        return err_set(err, ERR_INPUT, "%s: schemaVersion: expected 2, found %u", document->name, manifest->schema_version);
    }
    if ((decoded->config || manifest->layers) && manifest->manifests) {
        return err_set(err, ERR_INPUT, "%s: has both layers and manifests, so two readers would see two images", document->name);
    }
    if (!manifest->manifests && !decoded->config) {
        return err_set(err, ERR_INPUT, "%s: has neither config and layers, of an image, nor manifests, of an index",
                       document->name);
    }
    if (decoded->config && !manifest->layers) {
        return err_set(err, ERR_INPUT, "%s: layers: expected an array of objects, found nothing", document->name);
    }
    *ret = manifest->manifests ? IMAGE_INDEX : IMAGE_MANIFEST;
    return 0;
}

static const char *kind_name(enum image_manifest_kind kind) {
    return kind == IMAGE_INDEX ? "an index" : "an image's manifest";
}

// One type in the document, another outside of it: whoever checked the one has not seen the other.
static int check_media_type(const struct json_document *document, const struct image_manifest *manifest, const char *media_type,
                            struct err *err) {
    char found[QUOTE_SIZE], wanted[QUOTE_SIZE];
    if (manifest->media_type && media_type && strcmp(manifest->media_type, media_type) != 0) {
        return err_set(err, ERR_INPUT, "%s: mediaType: expected %s, found %s", document->name, quote_text(media_type, wanted),
                       quote_text(manifest->media_type, found));
    }
    const char *type = manifest->media_type ? manifest->media_type : media_type;
    enum image_manifest_kind kind;
    if (!type) {
        return 0;
    }
    if (!image_media_type_is_manifest(type, &kind)) {
        return err_set(err, ERR_INPUT, "%s: mediaType: expected one of an index or manifest, found %s", document->name,
                       quote_text(type, found));
    }
    if (kind != manifest->kind) {
        return err_set(err, ERR_INPUT, "%s: mediaType is %s, but the document is %s", document->name, quote_text(type, found),
                       kind_name(manifest->kind));
    }
    return 0;
}

int image_manifest_decode(const struct json_document *document, const char *media_type, struct arena *arena,
                          struct image_manifest *ret, struct err *err) {
    struct document decoded = {0};
    if (json_decode(document, &document_table, arena, &decoded, err) < 0 ||
        find_kind(document, &decoded, &decoded.manifest.kind, err) < 0 ||
        check_media_type(document, &decoded.manifest, media_type, err) < 0) {
        return -1;
    }
    if (decoded.config) {
        decoded.manifest.config = *decoded.config;
    }
    *ret = decoded.manifest;
    return 0;
}

static const struct json_name manifest_types[] = {
    {"application/vnd.oci.image.manifest.v1+json", IMAGE_MANIFEST},
    {"application/vnd.oci.image.index.v1+json", IMAGE_INDEX},
    {"application/vnd.docker.distribution.manifest.v2+json", IMAGE_MANIFEST},
    {"application/vnd.docker.distribution.manifest.list.v2+json", IMAGE_INDEX},
    {NULL, 0},
};

static const struct json_name layer_types[] = {
    {"application/vnd.oci.image.layer.v1.tar", IMAGE_LAYER_TAR},
    {"application/vnd.oci.image.layer.v1.tar+gzip", IMAGE_LAYER_GZIP},
    {"application/vnd.oci.image.layer.v1.tar+zstd", IMAGE_LAYER_ZSTD},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", IMAGE_LAYER_TAR},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", IMAGE_LAYER_GZIP},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", IMAGE_LAYER_ZSTD},
    {"application/vnd.docker.image.rootfs.diff.tar", IMAGE_LAYER_TAR},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", IMAGE_LAYER_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", IMAGE_LAYER_ZSTD},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", IMAGE_LAYER_TAR},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", IMAGE_LAYER_GZIP},
    {NULL, 0},
};

bool image_media_type_is_manifest(const char *media_type, enum image_manifest_kind *ret_kind) {
    int64_t kind = json_value_of(manifest_types, media_type);
    *ret_kind = kind < 0 ? IMAGE_MANIFEST : (enum image_manifest_kind)kind;
    return kind >= 0;
}

bool image_media_type_is_config(const char *media_type) {
    return strcmp(media_type, "application/vnd.oci.image.config.v1+json") == 0 ||
           strcmp(media_type, "application/vnd.docker.container.image.v1+json") == 0;
}

bool image_media_type_is_layer(const char *media_type, enum image_layer_kind *ret_kind) {
    int64_t kind = json_value_of(layer_types, media_type);
    *ret_kind = kind < 0 ? IMAGE_LAYER_TAR : (enum image_layer_kind)kind;
    return kind >= 0;
}

bool image_descriptor_is_foreign(const struct image_descriptor *descriptor) {
    enum image_layer_kind kind;
    return descriptor->urls_count > 0 && image_media_type_is_layer(descriptor->media_type, &kind) &&
           (strstr(descriptor->media_type, ".nondistributable.") || strstr(descriptor->media_type, ".foreign."));
}

const char *image_annotation(const struct text_pair *annotations, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(annotations[i].name, name) == 0) {
            return annotations[i].value;
        }
    }
    return NULL;
}

bool image_descriptor_is_attestation(const struct image_descriptor *descriptor) {
    const struct image_platform *platform = descriptor->platform;
    const char *os = platform && platform->os ? platform->os : "",
               *arch = platform && platform->architecture ? platform->architecture : "";
    const char *type = image_annotation(descriptor->annotations, descriptor->annotations_count, "vnd.docker.reference.type");
    return (strcmp(os, "unknown") == 0 && strcmp(arch, "unknown") == 0) || (type && strcmp(type, "attestation-manifest") == 0);
}

static const struct json_row archive_rows[] = {
    ROW_STRING("Config", struct image_archive_item, config, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRINGS("RepoTags", struct image_archive_item, repo_tags, 0),
    ROW_STRINGS("Layers", struct image_archive_item, layers, 0),
};
static const struct json_table archive_table = JSON_TABLE(struct image_archive_item, archive_rows);

int image_archive_decode(const struct json_document *document, struct arena *arena, struct image_archive_item **ret_items,
                         size_t *ret_count, struct err *err) {
    return json_decode_list(document, &archive_table, arena, ret_items, ret_count, err);
}
