// All images of the store together: listing, naming and removing them.
#ifndef COFFER_IMAGES_CATALOG_H
#define COFFER_IMAGES_CATALOG_H

#include "images/image_record.h"
#include "images/tags.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct store;
struct strv;

struct catalog_image {
    struct image_record record;
    struct tag *tags; // tags first, then digests
    size_t tags_count;
    uint64_t size_bytes; // of all files unpacked
};

// All images, the latest made first; in the arena. A record that cannot be read is passed over with a warning.
int catalog_list(const struct store *store, struct arena *arena, struct catalog_image **ret_images, size_t *ret_count,
                 struct err *err) MUST_CHECK;

// One image, with its names.
int catalog_get(const struct store *store, const char *name, struct arena *arena, struct catalog_image *ret,
                struct err *err) MUST_CHECK;

// Gives the image another name; what had it before loses it.
int catalog_tag(const struct store *store, const char *name, const struct image_ref *ref, struct err *err) MUST_CHECK;

// What a removal did, in order: "docker.io/library/alpine:3" untagged, "sha256:..." deleted. Filled even when it fails half-way.
struct catalog_removal {
    struct strv *untagged;
    struct strv *deleted; // images; then layers
};

// Removes a name and, with its last name, the image; or, called by its id, the image with all its names, when they are of one
// repository or `force` is given. An image that a container runs, or that is mounted, is ERR_STATE: by force it loses its name and stays.
// Layers stay until gc_run().
int catalog_remove(const struct store *store, const char *name, bool force, struct catalog_removal *removal,
                   struct err *err) MUST_CHECK;

// Which images to prune. Zeroed: all that have no name.
struct catalog_prune {
    bool all; // those too that have one, if no container uses them
    bool has_until;
    int64_t until_s;       // since 1970: only images made before
    const char **labels;   // "KEY", "KEY=VALUE": only images that have all of these, NULL behind the last; NULL: any
    const char **unlabels; // only images that have none of these
};

// Removes them.
int catalog_prune(const struct store *store, const struct catalog_prune *prune, struct catalog_removal *removal,
                  struct err *err) MUST_CHECK;

// A time of RFC 3339 in seconds since 1970, its parts of a second and its zone, which is UTC in images, left aside. False: there is none.
bool catalog_time(const char *text, int64_t *ret_s);

// Whether a container runs it, or it is mounted.
bool catalog_in_use(const struct store *store, const struct catalog_image *image);

#endif
