// removal: ending what a container's record says there is. Internal to the room; the caller holds the lock on the folder.
#ifndef COFFER_CONTAINER_REMOVAL_H
#define COFFER_CONTAINER_REMOVAL_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct cgroup;
struct cgroup_host;
struct container_record;
struct err;
struct state_dir;

// The container's own process as a descriptor that cannot mean another one: opened first, then compared. ERR_STATE when it is gone.
int removal_open_process(const struct container_record *record, struct err *err) MUST_CHECK;

int removal_open_cgroup(const struct container_record *record, struct cgroup_host *host, struct cgroup *cgroup,
                        struct err *err) MUST_CHECK;

// Kills all processes, removes the cgroup and the folder.
int removal_finish(struct state_dir *dir, const struct container_record *record, struct err *err) MUST_CHECK;

// The same for a container whose maker died before there was a process: the cgroup it had written down, with whatever is in it.
void removal_unfinished(struct state_dir *dir);

// Either, as the record has it, and poststop hooks. A container that runs is removed only by force.
int removal_delete(struct state_dir *dir, bool force, struct err *err) MUST_CHECK;

#endif
