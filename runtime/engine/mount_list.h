// mount_list: what a container's record says of its mounts: those of the request, of the image's VOLUMEs and of other containers
// (--volumes-from), settled once, when the container is made. Which volumes are in use is read here.
#ifndef COFFER_ENGINE_MOUNT_LIST_H
#define COFFER_ENGINE_MOUNT_LIST_H

#include "runtime/base/attr.h"
#include "runtime/engine/volume.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct home;
struct image_settings;
struct run_request;

struct mount_list {
    struct volume *items; // those that lie below others come after them
    size_t items_count;
};

// What the request says. Two mounts at one place are an error. Looks at nothing but the words.
int mount_list_parse(const struct run_request *request, struct arena *arena, struct mount_list *ret, struct err *err) MUST_CHECK;

// Whether there are volumes, or may be after mount_list_complete().
bool mount_list_has_volumes(const struct mount_list *list, const struct run_request *request, const struct image_settings *image);

// Adds what other containers have and what the image wants, where nothing is mounted yet, and names volumes that have no name. The
// caller holds the lock of the volumes until the container's record is written.
int mount_list_complete(const struct home *home, const struct run_request *request, const struct image_settings *image,
                        struct arena *arena, struct mount_list *list, struct err *err) MUST_CHECK;

// As JSON, in the arena.
const char *mount_list_write(const struct mount_list *list, struct arena *arena);
int mount_list_read(const char *text, struct arena *arena, struct mount_list *ret, struct err *err) MUST_CHECK;

// The container, but for `except`, that has the volume among its mounts. *ret_name: "" where none has it; *ret_more: others, too.
int mount_list_find_user(const struct home *home, struct arena *arena, const char *volume, const char *except, const char **ret_name,
                         bool *ret_more, struct err *err) MUST_CHECK;

// Removes the volumes of the container's own that no other container has. `mounts`: as its record has them.
int mount_list_remove_own(const struct home *home, const char *id, const char *mounts, struct err *err) MUST_CHECK;

#endif
