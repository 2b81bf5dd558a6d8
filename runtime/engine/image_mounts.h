// Images that are mounted into a container (--mount type=image): read-only trees, made anew with each start.
//
// An image is settled by its id when the container is made, and kept from being removed as long as the container runs. Private to the
// engine.
#ifndef COFFER_ENGINE_IMAGE_MOUNTS_H
#define COFFER_ENGINE_IMAGE_MOUNTS_H

#include "runtime/base/attr.h"
#include "runtime/container/options.h"
#include "runtime/kernel/userns.h"

#include <stddef.h>

struct arena;
struct err;
struct home;
struct mount_list;
struct store;

struct image_mounts {
    struct container_tree *trees; // the array is in the arena, with room for one more
    size_t count;
    int *locks; // shared, on the images' records
};

// Finds the images by their names, and writes their ids into the list.
int image_mounts_settle(struct store *store, struct arena *arena, struct mount_list *list, struct err *err) MUST_CHECK;

struct image_mounts_request {
    const struct home *home;
    struct store *store;
    const struct mount_list *mounts;
    struct idmap ids;  // of the container, count 0: the host's
    const char *place; // a directory that kernels before 6.7 need to mount on
};
int image_mounts_open(const struct image_mounts_request *request, struct arena *arena, struct image_mounts *ret, struct err *err) MUST_CHECK;

void image_mounts_close_trees(struct image_mounts *mounts); // once the container has them
void image_mounts_finish(struct image_mounts *mounts);      // both; a zeroed one is fine, and so is a second time

#endif
