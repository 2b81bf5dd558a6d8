// oom: a memory limit that is too small even for a container's start, told as what it is. Internal to the room.
#ifndef COFFER_CONTAINER_OOM_H
#define COFFER_CONTAINER_OOM_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup;
struct container_record;
struct err;

// Whether this is init's own name, which a process keeps until it executes the container's command.
bool oom_is_init(const char *name);

// Where the kernel killed a process of the group for its memory, puts the sentence about the limit in the place of the error's. Always
// returns -1.
int oom_explain(const struct cgroup *cgroup, int64_t limit_bytes, struct err *err);

// After `start` was told that init goes on: waits until it has executed the command or died before. The latter is an error, with the
// sentence about the limit where that was it.
int oom_check_started(const struct container_record *record, int64_t limit_bytes, struct err *err);

#endif
