// What an image is in a list: its descriptor, with the platform that its configuration says.
#ifndef COFFER_IMAGES_LIST_SOURCE_H
#define COFFER_IMAGES_LIST_SOURCE_H

#include "images/list.h"

struct registry;

// What is said of an image in place of what its configuration says. NULL and 0: nothing.
struct list_details {
    struct image_platform platform;
    struct text_pair *annotations; // beside those there, or in their place
    size_t annotations_count;
};

// Checks what a user or a document says: words that can be no platform are ERR_INPUT.
int list_platform_check(const struct image_platform *platform, struct err *err) MUST_CHECK;

// Applies it; strings and arrays are borrowed, new arrays in the arena.
void list_describe(struct list_item *item, const struct list_details *details, struct arena *arena);

struct list_source_options {
    const struct store *store;
    struct registry *registry; // where images are that are not in the store
    int spool_fd;              // a directory for files without a name
    bool all;                  // of an index all that it lists; else the one for the platform of the details, or the host's
    struct list_details details;
};

// The items for an image: by a name or id of the store; else, and behind "docker://" always, by a reference of a registry. In the
// arena. Each has a platform.
int list_source_find(const struct list_source_options *options, const char *image, struct arena *arena,
                     struct list_item **ret_items, size_t *ret_count, struct err *err) MUST_CHECK;

#endif
