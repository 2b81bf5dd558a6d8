// An image's files as one tree, to be read. Private to the engine.
#ifndef COFFER_ENGINE_IMAGE_ROOT_H
#define COFFER_ENGINE_IMAGE_ROOT_H

#include "runtime/base/attr.h"

struct err;
struct home;
struct image;

// Returns its root directory, whose files have the owners that the image says. place: a directory that kernels before 6.7 need to mount on.
// An ordinary user's is opened in a process that is root of his namespace (home_do_inside(), aside.h), which gets a mount namespace of its own.
int image_root_open(const struct home *home, const struct image *image, const char *place, struct err *err) MUST_CHECK;

#endif
