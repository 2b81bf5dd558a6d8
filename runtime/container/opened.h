// opened: a container found by its id, with what its record says of it and its cgroup. Internal to the room: what the commands on a
// container that is there begin with.
#ifndef COFFER_CONTAINER_OPENED_H
#define COFFER_CONTAINER_OPENED_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"

struct err;

struct opened {
    struct arena arena;
    struct state_dir dir;
    struct container_record record;
    struct cgroup_host host;
    struct cgroup cgroup; // count 0: the container has none, or it is gone
    enum oci_status status; // OCI_STATUS_PAUSED only once the cgroup was opened
};

#define OPENED_NONE                                                                                                                \
    { .dir = {.root_fd = -1, .fd = -1}, .host = {.fd = -1} }

// Fills the handle, which was OPENED_NONE, without the lock; then what only some need: its cgroup, and whether that is frozen.
int opened_find(struct opened *opened, const char *root, const char *id, struct err *err) MUST_CHECK;
int opened_take_cgroup(struct opened *opened, struct err *err) MUST_CHECK;

// ERR_STATE where the container has no cgroup to do this with: "to be paused".
int opened_need_cgroup(const struct opened *opened, const char *what, struct err *err) MUST_CHECK;

// An error in the words that callers of a runtime look for, whatever else it says.
int opened_not_running(const struct opened *opened, const char *verb, struct err *err);

void opened_finish(struct opened *opened);
#define AUTO_OPENED AUTO(opened_finish)

// What the container is doing, as state_dir_status(), and whether it is paused; opens its cgroup to see.
enum oci_status opened_status(const struct state_dir *dir, const struct container_record *record);

#endif
