// The last step of everything that brings an image into the store: documents are written, all is synced, and then put in its place
// under the store's lock, layers first, names last. Private to the room.
#ifndef COFFER_IMAGES_PUBLISH_H
#define COFFER_IMAGES_PUBLISH_H

#include "images/image_record.h"
#include "images/layer.h"
#include "images/ref.h"
#include "images/source.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct load_repair;
struct staging;
struct store;

// A layer of an image. One that is new lies in the staging directory under `staged`; others have it NULL.
struct publish_layer {
    struct layer layer;
    const char *staged;
};

struct publish_image {
    const struct source_document *document; // the configuration
    const struct source_document *manifest; // NULL: none
    const struct image_config *config;
    const struct publish_layer *const *layers; // the lowest first
    size_t layers_count;
    const struct image_ref *names;
    size_t names_count;
    const struct load_repair *repair; // NULL: what is there stays
};

// Writes an image's blobs and its record into the staging directory.
int publish_prepare(const struct staging *staging, const struct publish_image *image, struct err *err) MUST_CHECK;

// Puts all images in their places, after they have been prepared.
int publish_images(const struct store *store, const struct staging *staging, const struct publish_image *images, size_t count,
                   struct err *err) MUST_CHECK;

#endif
