#include "images/layout_index.h"

#include "runtime/base/buf.h"
#include "specs/json_write.h"

#include <string.h>

const char layout_version_text[] = "{\"imageLayoutVersion\": \"1.0.0\"}\n";

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
    json_write_close(writer, '}');
}

static void write_descriptor(struct json_writer *writer, const struct image_descriptor *descriptor) {
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "mediaType", descriptor->media_type);
    json_write_string(writer, "digest", descriptor->digest);
    json_write_i64(writer, "size", descriptor->size);
    if (descriptor->platform) {
        write_platform(writer, descriptor->platform);
    }
    if (descriptor->annotations_count > 0) {
        json_write_pairs(writer, "annotations", descriptor->annotations, descriptor->annotations_count);
    }
    if (descriptor->artifact_type) {
        json_write_string(writer, "artifactType", descriptor->artifact_type);
    }
    json_write_close(writer, '}');
}

static const char *name_of(const struct image_descriptor *descriptor) {
    return image_annotation(descriptor->annotations, descriptor->annotations_count, LAYOUT_REF_ANNOTATION);
}

bool layout_index_replaces(const struct image_descriptor *entry, const struct image_descriptor *old) {
    const char *had = name_of(old), *has = name_of(entry);
    return had ? has && strcmp(had, has) == 0 : strcmp(old->digest, entry->digest) == 0;
}

void layout_index_write(const struct image_descriptor *items, size_t count, struct buf *text) {
    struct json_writer writer = {.buf = text, .indent = "  "};
    json_write_open(&writer, NULL, '{');
    json_write_u64(&writer, "schemaVersion", 2);
    json_write_string(&writer, "mediaType", "application/vnd.oci.image.index.v1+json");
    json_write_open(&writer, "manifests", '[');
    for (size_t i = 0; i < count; i++) {
        write_descriptor(&writer, &items[i]);
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
}
