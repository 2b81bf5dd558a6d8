#include "images/layout_index.h"

#include "runtime/base/buf.h"
#include "specs/image_manifest_write.h"
#include "specs/json_write.h"

#include <string.h>

const char layout_version_text[] = "{\"imageLayoutVersion\": \"1.0.0\"}\n";

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
        image_descriptor_write(&writer, NULL, &items[i]);
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
}
