// The hierarchies of cgroup version 1 on a tmpfs, as the container sees them. Internal to init.
#ifndef COFFER_CONTAINER_INIT_CGROUPS_H
#define COFFER_CONTAINER_INIT_CGROUPS_H

#include "runtime/base/attr.h"

struct err;
struct init;
struct plan_mount;

// Learns which groups we are in, for cgroups_mount_on(): before a cgroup namespace is made or joined, in which they have other names.
int cgroups_find_own(struct init *init, struct err *err) MUST_CHECK;

// Mounts them on the open directory of the mount's target. The working directory is changed.
int cgroups_mount_on(const struct init *init, const struct plan_mount *mount, int target_fd, struct err *err) MUST_CHECK;

#endif
