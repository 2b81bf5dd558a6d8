// The small blobs of the store: manifests and configurations, byte for byte as they came.
#ifndef COFFER_IMAGES_BLOB_H
#define COFFER_IMAGES_BLOB_H

#include "runtime/base/attr.h"
#include "specs/image_config.h"

struct arena;
struct err;
struct source_document;
struct store;

// Reads a blob by the text of its digest, "sha256:...", into the arena and verifies it: one that is something else is ERR_CORRUPT,
// one that is not there ERR_NOT_FOUND.
int blob_read(const struct store *store, const char *digest, struct arena *arena, struct source_document *ret,
              struct err *err) MUST_CHECK;

// An image's configuration as a whole, its history included, which the record does without.
int blob_read_config(const struct store *store, const char *id, struct arena *arena, struct image_config *ret,
                     struct err *err) MUST_CHECK;

#endif
