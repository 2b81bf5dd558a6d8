#include "specs/image_manifest_write.h"

#include "specs/json_write.h"

static void write_platform(struct json_writer *writer, const struct image_platform *platform) {
    json_write_open(writer, "platform", '{');
    json_write_string(writer, "architecture", platform->architecture ? platform->architecture : "");
    json_write_string(writer, "os", platform->os ? platform->os : "");
    if (platform->variant) {
        json_write_string(writer, "variant", platform->variant);
    }
    if (platform->os_version) {
        json_write_string(writer, "os.version", platform->os_version);
    }
    if (platform->os_features_count > 0) {
        json_write_strings(writer, "os.features", platform->os_features, platform->os_features_count);
    }
    if (platform->features_count > 0) {
        json_write_strings(writer, "features", platform->features, platform->features_count);
    }
    json_write_close(writer, '}');
}

void image_descriptor_write(struct json_writer *writer, const char *name, const struct image_descriptor *descriptor) {
    json_write_open(writer, name, '{');
    json_write_string(writer, "mediaType", descriptor->media_type);
    json_write_string(writer, "digest", descriptor->digest);
    json_write_i64(writer, "size", descriptor->size);
    if (descriptor->platform) {
        write_platform(writer, descriptor->platform);
    }
    if (descriptor->urls_count > 0) {
        json_write_strings(writer, "urls", descriptor->urls, descriptor->urls_count);
    }
    if (descriptor->annotations_count > 0) {
        json_write_pairs(writer, "annotations", descriptor->annotations, descriptor->annotations_count);
    }
    if (descriptor->data) {
        json_write_string(writer, "data", descriptor->data);
    }
    if (descriptor->artifact_type) {
        json_write_string(writer, "artifactType", descriptor->artifact_type);
    }
    json_write_close(writer, '}');
}

static void begin(struct json_writer *writer, const char *media_type) {
    json_write_open(writer, NULL, '{');
    json_write_u64(writer, "schemaVersion", 2);
    json_write_string(writer, "mediaType", media_type);
}

static void write_descriptors(struct json_writer *writer, const char *name, const struct image_descriptor *items, size_t count) {
    json_write_open(writer, name, '[');
    for (size_t i = 0; i < count; i++) {
        image_descriptor_write(writer, NULL, &items[i]);
    }
    json_write_close(writer, ']');
}

static void end(struct json_writer *writer, const struct image_manifest *manifest) {
    if (manifest->annotations_count > 0) {
        json_write_pairs(writer, "annotations", manifest->annotations, manifest->annotations_count);
    }
    json_write_close(writer, '}');
}

void image_manifest_write(struct json_writer *writer, const struct image_manifest *manifest) {
    begin(writer, manifest->media_type ? manifest->media_type : IMAGE_OCI_MANIFEST);
    if (manifest->artifact_type) {
        json_write_string(writer, "artifactType", manifest->artifact_type);
    }
    image_descriptor_write(writer, "config", &manifest->config);
    write_descriptors(writer, "layers", manifest->layers, manifest->layers_count);
    end(writer, manifest);
}

void image_index_write(struct json_writer *writer, const struct image_manifest *index) {
    begin(writer, index->media_type ? index->media_type : IMAGE_OCI_INDEX);
    write_descriptors(writer, "manifests", index->manifests, index->manifests_count);
    end(writer, index);
}
