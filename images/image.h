// An image of the store, ready to be run: its configuration and the directories to mount.
//
// While an image is open it cannot be removed: lock_fd holds a shared lock on its record. Whoever runs a container keeps lock_fd
// (or a duplicate: flock(2) belongs to the open file) for as long as the container runs.
#ifndef COFFER_IMAGES_IMAGE_H
#define COFFER_IMAGES_IMAGE_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "specs/image_config.h"

#include <stdint.h>

struct err;
struct image_ref;
struct store;

// All strings live in the image.
struct image {
    const char *id;             // "sha256:..." of its configuration
    const char *name;           // as the user called it
    const char *manifest;       // "sha256:..."; NULL where it came without one (docker save, import)
    const char *loaded;         // when it came into the store: RFC 3339, UTC
    struct image_config config; // without its history
    const char **lower;         // paths below store->layers_fd, the topmost first, as struct overlay wants them
    size_t lower_count;         // may be 0: an image without layers
    uint64_t size_bytes;        // of all files unpacked
    int lock_fd;
    struct arena arena;
};

// Finds an image by name ("alpine", "alpine:3", "quay.io/x/y@sha256:..."), by id or by the beginning of an id (4 digits or more).
// ERR_NOT_FOUND: it is not in the store; ERR_INPUT: the name cannot be one, or stands for several images.
int image_open(struct store *store, const char *name, struct image **ret_image, struct err *err) MUST_CHECK;

// The same without the lock (lock_fd is -1): for who knows that another process has it, or wants only the configuration. A lock costs the
// kernel a look at all others of the file, a third of a millisecond where a thousand containers run of one image.
int image_look(const struct store *store, const char *name, struct image **ret_image, struct err *err) MUST_CHECK;

void image_close(struct image *image); // NULL is fine
void image_cleanup(struct image **image);
#define AUTO_IMAGE AUTO(image_cleanup)

// Whether it runs on a platform, as --platform has it: ERR_NOT_FOUND where it is for another one.
int image_check_platform(struct image *image, const char *wish, struct err *err) MUST_CHECK;

// Only looks for it: *ret_path is its record's path below the store, *ret_ref the reference it was found by, all NULL when found by
// id.
int image_find(const struct store *store, const char *name, struct arena *arena, const char **ret_path, struct image_ref *ret_ref,
               struct err *err) MUST_CHECK;

#endif
