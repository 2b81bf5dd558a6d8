// What an image is made of: OCI manifests and indexes, docker's manifests (version 2, schema 2) and manifest lists, and
// manifest.json of `docker save`. (OCI image-spec v1.1, manifest.md, image-index.md, descriptor.md.)
//
// Only decoded and checked here; strings and lists live in the arena. Digests are texts that nobody has checked yet. Unknown media
// types of parts are kept: whether they can be used is for whoever wants to.
#ifndef COFFER_SPECS_IMAGE_MANIFEST_H
#define COFFER_SPECS_IMAGE_MANIFEST_H

#include "runtime/base/attr.h"
#include "specs/values.h"

struct arena;
struct err;
struct json_document;
struct json_table;

struct image_platform {
    const char *os;
    const char *architecture; // Go's names
    const char *variant;
    const char *os_version;
    const char **os_features;
    size_t os_features_count;
    const char **features; // of the processor
    size_t features_count;
};

// A reference to a blob, with its size in bytes.
struct image_descriptor {
    const char *media_type;
    const char *digest;
    int64_t size;                    // never negative
    struct image_platform *platform; // NULL: not said
    const char **urls;
    size_t urls_count;
    struct text_pair *annotations;
    size_t annotations_count;
    const char *data; // base64 of the blob itself; NULL: not embedded
    const char *artifact_type;
};

extern const struct json_table image_descriptor_table; // for documents that list them

// Whether it is a layer that shall not be handed on (docker's foreign layers, OCI's non-distributable ones) and that says where it
// is to be had. Registries do without such a blob.
bool image_descriptor_is_foreign(const struct image_descriptor *descriptor);

enum image_manifest_kind { IMAGE_MANIFEST, IMAGE_INDEX };

struct image_manifest {
    enum image_manifest_kind kind;
    uint32_t schema_version;
    const char *media_type; // NULL: not said
    const char *artifact_type;
    struct image_descriptor config;  // of a manifest
    struct image_descriptor *layers; // of a manifest: the lowest first
    size_t layers_count;
    struct image_descriptor *manifests; // of an index
    size_t manifests_count;
    struct text_pair *annotations;
    size_t annotations_count;
};

// `media_type`: what the descriptor or the server called the document, NULL for nothing; the document's own word must be the same.
// A document with both `layers` and `manifests` is refused: two readers would see two images (CVE-2021-41190).
int image_manifest_decode(const struct json_document *document, const char *media_type, struct arena *arena,
                          struct image_manifest *ret, struct err *err) MUST_CHECK;

// What a media type says; false for one that is not known.
bool image_media_type_is_manifest(const char *media_type, enum image_manifest_kind *ret_kind);
bool image_media_type_is_config(const char *media_type);

// The layer types of OCI and docker: how the tar is compressed. Non-distributable and foreign layers count too.
enum image_layer_kind { IMAGE_LAYER_TAR, IMAGE_LAYER_GZIP, IMAGE_LAYER_ZSTD };
bool image_media_type_is_layer(const char *media_type, enum image_layer_kind *ret_kind);

// The value of an annotation, NULL if there is none.
const char *image_annotation(const struct text_pair *annotations, size_t count, const char *name);

// This host's platform: linux, and the architecture of uname(2) with its variant, all constant.
const struct image_platform *image_platform_of_host(void);

// Fills *ret from "linux/arm64/v8", "linux/amd64" or "arm64"; strings in the arena.
int image_platform_parse(struct arena *arena, const char *text, struct image_platform *ret, struct err *err) MUST_CHECK;

// How well something made for `has` runs on `wants`: 0 not at all; the higher the better. arm: v7 runs v7, v6 and v5, in this
// order.
unsigned image_platform_rank(const struct image_platform *has, const struct image_platform *wants);

// Whether an entry of an index is no image but a statement about one (platform unknown/unknown, or an attestation's annotation).
bool image_descriptor_is_attestation(const struct image_descriptor *descriptor);

// manifest.json of `docker save`: one image an item.
struct image_archive_item {
    const char *config; // name of a member of the archive
    const char **repo_tags;
    size_t repo_tags_count;
    const char **layers; // names of members, the lowest first
    size_t layers_count;
};

int image_archive_decode(const struct json_document *document, struct arena *arena, struct image_archive_item **ret_items,
                         size_t *ret_count, struct err *err) MUST_CHECK;

#endif
