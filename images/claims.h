// The right to change what images are made of: nothing beneath a mounted overlay may be replaced.
//
// A running container holds a shared lock on its image's record; of a mounted image there is a note (images/mounts.h), written
// behind such a lock. Who has the exclusive locks on the records of all images that have a layer knows that nothing is mounted on it,
// and that nothing will be meanwhile. Taken under the store's lock, and held for moments.
// Private to the room.
#ifndef COFFER_IMAGES_CLAIMS_H
#define COFFER_IMAGES_CLAIMS_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct err;
struct store;
struct strv;

struct claims {
    int *fds;
    size_t count;
};

void claims_finish(struct claims *claims);
#define AUTO_CLAIMS AUTO(claims_finish)

// Takes the locks of the image (hex of its id) and of all that have one of these layers (their keys). A record that cannot be read
// might name any of them, and is taken too. ERR_STATE: one is in use. claims is a zeroed one.
int claims_take(const struct store *store, const char *image, const struct strv *layers, struct claims *claims,
                struct err *err) MUST_CHECK;

#endif
