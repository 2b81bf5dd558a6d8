// The parts of making a mount, for a container that is being made (mounts.c) and for one that runs (hot_mounts.c). Internal to init.
#ifndef COFFER_CONTAINER_INIT_MOUNTS_H
#define COFFER_CONTAINER_INIT_MOUNTS_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;
struct init;
struct plan_mount;

// Opens or makes what is to be mounted, detached. Not for PLAN_MOUNT_CHANGE and PLAN_MOUNT_CGROUPS.
int mount_make(const struct init *init, const struct plan_mount *mount, struct err *err) MUST_CHECK;

int mount_set_attributes(const struct plan_mount *mount, int tree, struct err *err) MUST_CHECK;

struct mount_target {
    int fd;
    bool made;  // a new directory: so it does not lie in a procfs
    bool found; // it was there
};

// Finds or makes, below init's root_fd, where it is mounted: a place where that may be done. tree: what is, -1 where that is made
// afterwards.
int mount_open_target(struct init *init, const struct plan_mount *mount, int tree, struct mount_target *ret,
                      struct err *err) MUST_CHECK;

// A tmpfs without a mode of its own has that of the directory it is mounted on, so that /tmp stays what it is (as runc does).
bool mount_keeps_mode(const struct plan_mount *mount, const struct mount_target *target);

#endif
