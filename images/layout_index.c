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

void layout_index_write(struct image_descriptor *items, size_t count, struct buf *text) {
    struct json_writer writer = {.buf = text, .indent = "  "};
    const struct image_manifest index = {.manifests = items, .manifests_count = count};
    image_index_write(&writer, &index);
}
