// New file systems, as init mounts them. Internal to init.
#ifndef COFFER_CONTAINER_INIT_FILESYSTEM_H
#define COFFER_CONTAINER_INIT_FILESYSTEM_H

#include "runtime/base/attr.h"

struct err;
struct plan_mount;

// Mounts it on the open directory, with the attributes of its top, by mount(2): two calls in place of seven or more, which is what most
// of a container's mounts take. -1 where that cannot express it or the kernel refuses: filesystem_make() can do more, and says what
// is wrong. The working directory is changed.
int filesystem_mount_on(const struct plan_mount *mount, int target_fd) MUST_CHECK;

// Makes it and returns the detached mount, with the attributes of its top.
int filesystem_make(const struct plan_mount *mount, struct err *err) MUST_CHECK;

// Changes the options of the file system that is mounted at the descriptor (mount(8), "remount").
int filesystem_reconfigure(const struct plan_mount *mount, int target_fd, struct err *err) MUST_CHECK;

#endif
