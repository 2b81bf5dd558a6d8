// Two processes that bring images with the same layers share the work: who comes second waits for the first, and finds them there.
//
// A layer's lock is a byte of the store's lock file, at the place its diff id says, locked by its open file description
// (fcntl_locking(2), F_OFD_SETLK): the kernel lets go of it when the process ends, however it does, and no file is left. A process
// takes its locks in the order of their places, and waits for one only while it holds lower ones: so nobody waits in a circle.
// Layers that fall on one byte by chance only wait without need. Running an image takes none of them.
#ifndef COFFER_IMAGES_LAYER_LOCKS_H
#define COFFER_IMAGES_LAYER_LOCKS_H

#include "images/digest.h"
#include "runtime/base/attr.h"

#include <stddef.h>

struct err;
struct store;

// Takes the locks of all these layers; `waiting` is told of each that another process has, before it is waited for. Returns the
// descriptor that holds them.
int layer_locks_take(const struct store *store, const struct digest *const *diff_ids, size_t count,
                     void (*waiting)(const struct digest *diff_id), struct err *err) MUST_CHECK;

#endif
