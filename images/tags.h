// Names of images: tags/REPOSITORY/TAG is a symbolic link to the image's record, so that one open(2) finds the image of a name.
// References by digest, "alpine@sha256:...", stand beside the tags: a tag has no colon. Changes are made under the store's lock.
#ifndef COFFER_IMAGES_TAGS_H
#define COFFER_IMAGES_TAGS_H

#include "images/ref.h"
#include "runtime/base/attr.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct staging;
struct store;

struct tag {
    struct image_ref ref; // with either tag or digest
    const char *image;    // hex of the image's id
};

// The path of a reference below the store. One with both tag and digest is found by the digest.
enum { TAG_PATH_SIZE = sizeof("tags//") + IMAGE_REF_NAME_MAX + IMAGE_REF_TAG_MAX + 32 };
const char *tag_path(const struct image_ref *ref, char path[TAG_PATH_SIZE]);

// Lets the reference stand for the image, whatever it stood for before.
int tag_set(const struct store *store, const struct staging *staging, const struct image_ref *ref, const char *image_hex,
            struct err *err) MUST_CHECK;

// Makes what was set durable.
int tag_sync(const struct store *store, const struct image_ref *ref, struct err *err) MUST_CHECK;

// Removes the reference; one that is not there is fine.
int tag_remove(const struct store *store, const struct image_ref *ref, struct err *err) MUST_CHECK;

// Reads tags/FOLDER/FILE, in the directory dir_fd; false: it is no reference that leads to a record's name, be there one or not.
bool tag_read(int dir_fd, const char *folder, const char *file, struct arena *arena, struct tag *ret);

// All references, sorted by name, tags before digests; in the arena.
int tag_list(const struct store *store, struct arena *arena, struct tag **ret_tags, size_t *ret_count, struct err *err) MUST_CHECK;

#endif
