// volume_use: what a container's mounts need before they can be made: directories of the host, volumes, and their first files.
//
// An empty volume gets what the image has at its place, with modes, owners and attributes. This is done in STORE/volumes/NAME:
//
//     _fill   a copy that is being made, and debris where nobody makes it
//     _full   a whole one, on the disk, whose entries move to _data one by one
//
// under the folder's lock: who comes second waits for the first, and who finds a whole copy moves on with it, so that no kill leaves a
// volume half filled.
#ifndef COFFER_ENGINE_VOLUME_USE_H
#define COFFER_ENGINE_VOLUME_USE_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct arena;
struct err;
struct home;
struct image;
struct mount_list;

// Makes the volumes that are missing, and finds out where all are (volume.path). The caller holds the lock of the volumes. `passing`:
// of a container that goes when it ends (--rm), and the volumes of its own with it: what is lost with the power need not be written.
int volume_use_take(const struct home *home, int volumes_fd, bool passing, struct arena *arena, struct mount_list *list,
                    struct err *err) MUST_CHECK;

struct volume_filling {
    const struct home *home;
    const struct image *image;
    bool first;   // the container has never run: empty volumes are filled
    bool passing; // as above
};

// Fills volumes, or ends what was begun. Without the lock of the volumes, after volume_use_take(): the container's record keeps them.
int volume_use_fill(const struct volume_filling *filling, const struct mount_list *list, struct err *err) MUST_CHECK;

// Makes missing directories of the host that -v names; a missing one of --mount is an error.
int volume_use_sources(const struct mount_list *list, struct err *err) MUST_CHECK;

#endif
