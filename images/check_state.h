// A check under way. Private to images/check*.c.
//
// Theory of operation. The store is looked at without its lock, so that a long check is in nobody's way; what others change
// meanwhile may look like damage. So whenever something was found, all of it but the layers' contents is looked at again with the
// lock held, which is moments, and only that counts. Contents are read behind shared locks on the layers, which keep them from
// being collected.
#ifndef COFFER_IMAGES_CHECK_STATE_H
#define COFFER_IMAGES_CHECK_STATE_H

#include "images/check.h"
#include "images/image_record.h"
#include "images/tags.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <dirent.h>

enum {
    CHECK_MAX_FINDINGS = 10000, // listed
};

struct check_image {
    const char *hex; // of its id
    bool selected;
    bool readable;              // its record is
    struct image_record record; // keys of layers and digests are well-formed
    struct image_config config; // of its blob; diff_ids_count is 0 where that is damaged
};

struct check_layer {
    const char *key;
    bool damaged; // a finding names it already
    uint64_t size_bytes;
};

struct check {
    struct store *store;
    const struct check_options *options;
    struct arena *arena;
    struct check_image *images;
    size_t images_count;
    struct tag *tags;
    size_t tags_count;
    struct check_layer *layers; // of selected images, or all; in the order of their keys
    size_t layers_count;
    struct check_finding *findings;
    size_t findings_count, findings_room;
    size_t more; // findings that are not listed
    uint64_t bytes;
    size_t unread, failed;
};

// Adds a finding; the strings are copied.
struct check_finding *check_found(struct check *check, enum check_kind kind, const char *path, const char *format, ...)
    PRINTF_LIKE(4, 5);
void check_concerns(struct check *check, struct check_finding *finding, const char *hex);

// Whether all of the store is looked at.
bool check_is_whole(const struct check *check);

// A folder of the store as a stream, NULL where there is none.
DIR *check_list(const struct check *check, const char *path);

// Lower-case hex digits, so many of them.
bool check_is_hex(const char *text, size_t digits);

// Folders, modes, owners, files that do not belong here, and what dead processes have left (check_layout.c).
void check_layout(struct check *check);

// Lists of images that were made by hand (check_lists.c): of check_layout().
void check_lists(struct check *check);

// Records, documents and names (check_images.c). Fills images and tags.
int check_images(struct check *check, struct err *err) MUST_CHECK;

// Layers and their descriptions (check_layers.c). Fills layers.
void check_layers(struct check *check);
void check_damaged_layer(struct check *check, struct check_layer *layer, const char *problem);

// What the layers hold (check_contents.c).
int check_contents(struct check *check, struct err *err) MUST_CHECK;

// Makes good what was found (check_repair.c): of the store itself, under the lock that it was found under, so that nothing else has
// come to stand there; and of images, which takes its own.
int check_repair_store(struct check *check, struct err *err) MUST_CHECK;
int check_repair_images(struct check *check, struct err *err) MUST_CHECK;

#endif
