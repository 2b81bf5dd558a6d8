// Lists of images, made by hand: an image index (docker: a manifest list) of the store, from which it can be pushed. (OCI
// image-spec v1.1, image-index.md.)
//
// A list holds descriptors, and of each where its image is: a registry or the store. It keeps no image in the store; whether what
// it lists is still there shows when it is pushed. Lists have names of their own: one and the same may stand for an image, too.
//
// The file lists/REPOSITORY/TAG is replaced as a whole, under the store's lock: who adds to a list never loses what another adds.
#ifndef COFFER_IMAGES_LIST_H
#define COFFER_IMAGES_LIST_H

#include "images/ref.h"
#include "images/staging.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "specs/image_manifest.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct store;

enum { LIST_MAX_ITEMS = 1024 };

struct list_item {
    struct image_descriptor descriptor;
    const char *name;  // as it was added: a reference, with its registry; an image's id where it was found by that
    const char *image; // the id of the store's image, "sha256:..."; NULL: it is in the registry that the name says
};

struct list {
    struct image_ref ref; // with a tag
    struct text_pair *annotations;
    size_t annotations_count;
    struct list_item *items;
    size_t items_count;
};

enum list_format { LIST_OCI, LIST_V2S2 };

// Parses a list's name; one with a digest is refused.
int list_name_parse(struct arena *arena, const char *text, struct image_ref *ret, struct err *err) MUST_CHECK;

// Reads it into the arena. ERR_NOT_FOUND: there is none of this name.
int list_read(const struct store *store, const struct image_ref *ref, struct arena *arena, struct list *ret,
              struct err *err) MUST_CHECK;

// Where it stands, below the store; and the name of what stands there, in the arena: false where that is none.
enum { LIST_PATH_SIZE = sizeof("lists//") + IMAGE_REF_NAME_MAX + IMAGE_REF_TAG_MAX };
const char *list_path(const struct image_ref *ref, char path[LIST_PATH_SIZE]);
bool list_name_of(const char *folder, const char *file, struct arena *arena, struct image_ref *ret);

// The sentence for a list that is not there. Returns -1.
int list_not_found(struct arena *arena, const struct image_ref *ref, struct err *err);
int list_is_there(struct arena *arena, const struct image_ref *ref, struct err *err); // for one that is, and shall not be

bool list_exists(const struct store *store, const struct image_ref *ref);

// The names of all lists, sorted, in the arena.
int list_names(const struct store *store, struct arena *arena, struct image_ref **ret_names, size_t *ret_count,
               struct err *err) MUST_CHECK;

int list_remove(const struct store *store, const struct image_ref *ref, struct err *err) MUST_CHECK;

// The document as a registry is given it. ERR_INPUT: docker's form cannot say what is in it.
int list_render(const struct list *list, enum list_format format, struct buf *text, struct err *err) MUST_CHECK;
const char *list_media_type(enum list_format format);

// A change. The store is locked between begin and finish: only what takes moments is done there.
struct list_edit {
    const struct store *store;
    struct staging staging;
    int lock_fd;
    struct list list; // to be changed in place; strings and arrays in the arena
    struct arena arena;
};
#define LIST_EDIT_NONE                                                                                                             \
    { .lock_fd = -1 }

enum list_edit_mode {
    LIST_CHANGE, // one that is there
    LIST_NEW,    // one that is not there yet
    LIST_EITHER,
};
int list_edit_begin(struct list_edit *edit, const struct store *store, const struct image_ref *ref, enum list_edit_mode mode,
                    struct err *err) MUST_CHECK;
int list_edit_commit(struct list_edit *edit, struct err *err) MUST_CHECK; // on the disk when it returns
void list_edit_finish(struct list_edit *edit);
#define AUTO_LIST_EDIT AUTO(list_edit_finish)

// Adds the items behind the others; those that were there with one of their digests go. Strings are borrowed.
int list_edit_add(struct list_edit *edit, const struct list_item *items, size_t count, struct err *err) MUST_CHECK;

// Which items a word stands for: a digest, or the name it was added by. *ret_first: of the first; *ret_count: how many.
// ERR_NOT_FOUND: none.
int list_find(const struct list *list, const char *word, struct arena *arena, size_t *ret_first, size_t *ret_count,
              struct err *err) MUST_CHECK;

// Removes all items that the word stands for.
int list_edit_remove(struct list_edit *edit, const char *word, struct err *err) MUST_CHECK;

// "linux/arm64/v8", "no platform": for messages, in the arena.
const char *list_platform_text(struct arena *arena, const struct image_platform *platform);

#endif
