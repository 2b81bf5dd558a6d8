// index.json of an OCI image layout: the list that names its images. (OCI image-spec v1.1, image-layout.md.)
#ifndef COFFER_IMAGES_LAYOUT_INDEX_H
#define COFFER_IMAGES_LAYOUT_INDEX_H

#include "specs/image_manifest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define LAYOUT_REF_ANNOTATION "org.opencontainers.image.ref.name"

extern const char layout_version_text[]; // what the file oci-layout holds

// Appends the document to text.
void layout_index_write(struct image_descriptor *items, size_t count, struct buf *text);

// Whether the new entry takes the place of the old one: of one with the same name, and of the same image without one.
bool layout_index_replaces(const struct image_descriptor *entry, const struct image_descriptor *old);

#endif
