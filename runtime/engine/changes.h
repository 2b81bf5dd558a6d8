// changes: what a container has made of its image, told from its writable layer. `coffer diff`, and `coffer commit`.
//
// The layer is one of overlayfs: what is in it has been added or changed, a whiteout is something deleted, and an opaque directory hides
// all that the image has there (Documentation/filesystems/overlayfs.rst). Files of the image are only asked whether they are there.
#ifndef COFFER_ENGINE_CHANGES_H
#define COFFER_ENGINE_CHANGES_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct arena;
struct engine;
struct err;
struct home;
struct image;
struct mount_list;
struct record;

enum change_kind { CHANGE_ADDED = 'A', CHANGE_CHANGED = 'C', CHANGE_DELETED = 'D', CHANGE_HIDDEN = 'H' };

// HIDDEN: not the container's doing, but a place that was made for something to be mounted on.
struct change {
    enum change_kind kind;
    const char *path; // "/etc/hosts"
};

struct changes_request {
    const struct home *home;
    const struct record *record;
    const struct image *image;
};

// Sorted by path, all in the arena. The container may run.
int changes_find(const struct changes_request *request, struct arena *arena, struct change **ret, size_t *ret_count,
                 struct err *err) MUST_CHECK;

// The same of a container by its name.
int engine_diff(const struct engine *engine, const char *name, struct arena *arena, struct change **ret, size_t *ret_count,
                struct err *err) MUST_CHECK;

#endif
