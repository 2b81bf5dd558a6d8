// Extended attributes in layers: which ones a layer may have, and copying them. Private to the room.
#ifndef COFFER_IMAGES_LAYER_XATTR_H
#define COFFER_IMAGES_LAYER_XATTR_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

// user.*, file capabilities and ACLs. The others belong to overlayfs (trusted.overlay, user.overlay: they would be orders to it),
// to the host's security modules, or take privilege that nobody should need for files.
bool layer_xattr_is_wanted(const char *name) MUST_CHECK;

// Of a list as listxattr(2) gives it the wanted names, sorted; they point into it. The others are counted in *dropped. ret_names:
// room for half as many names as the list has bytes. Returns how many there are.
size_t layer_xattr_select(const char *list, size_t size, const char **ret_names, uint64_t *dropped);

// Copies the wanted attributes of one open file or directory to another one, in the order of their names. What the file system does
// not take is counted in *dropped, except for capabilities: that is an error.
int layer_xattr_copy(int from_fd, int to_fd, uint64_t *dropped, struct err *err) MUST_CHECK;

#endif
