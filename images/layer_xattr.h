// Extended attributes in layers: which ones a layer may have, and copying them. Private to the room.
#ifndef COFFER_IMAGES_LAYER_XATTR_H
#define COFFER_IMAGES_LAYER_XATTR_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct hasher;

// user.*, file capabilities and ACLs. The others belong to overlayfs (trusted.overlay, user.overlay: they would be orders to it),
// to the host's security modules, or take privilege that nobody should need for files.
bool layer_xattr_is_wanted(const char *name) MUST_CHECK;

// Copies the wanted attributes of one open file or directory to another one, in the order of their names, and hashes them where
// there is a hasher. What the file system does not take is counted in *dropped, except for capabilities: that is an error.
int layer_xattr_copy(int from_fd, int to_fd, struct hasher *hasher, uint64_t *dropped, struct err *err) MUST_CHECK;

#endif
