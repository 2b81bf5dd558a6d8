// What the store takes on the disk, and what of it could be freed: `coffer system df`.
//
// Layers count with the bytes of their files, as `coffer images` does; each once, however many images have it.
#ifndef COFFER_IMAGES_USAGE_H
#define COFFER_IMAGES_USAGE_H

#include "images/catalog.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct store;

struct usage_image {
    const struct catalog_image *image;
    uint64_t shared_bytes; // of layers that another image has, too
    uint64_t unique_bytes; // what its removal frees
    bool in_use;           // a container runs it
};

struct usage_part {
    size_t count;
    size_t active; // of them: in use
    uint64_t bytes;
    uint64_t reclaimable_bytes;
};

struct usage {
    struct usage_image *images; // the latest made first
    size_t images_count;
    struct usage_part layers;    // of images; reclaimable: those that no image in use has
    struct usage_part documents; // manifests and configurations; active: an image needs it
    struct usage_part leftovers; // layers of no image, partial files, what dead processes left behind; active: somebody works on it
};

// Takes no lock: what changes meanwhile may be counted or not. Lists live in the arena.
int usage_measure(const struct store *store, struct arena *arena, struct usage *ret, struct err *err) MUST_CHECK;

#endif
