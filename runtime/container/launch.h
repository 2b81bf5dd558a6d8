// launch: a process cloned into its namespaces and cgroup, running the init program from a sealed copy, with the channel to it.
//
// Theory of operation. The child never runs on the program's own file: /proc/PID/exe of a container's process would lead to it, and
// a root process inside could write to it later (CVE-2019-5736). The init program is a small static binary carried in this one; it
// is written to a memfd, sealed against any change, and executed from there. What it shares with the container is thus a copy.
#ifndef COFFER_CONTAINER_LAUNCH_H
#define COFFER_CONTAINER_LAUNCH_H

#include "runtime/base/attr.h"
#include "runtime/kernel/userns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct launch {
    uint64_t namespaces; // CLONE_NEW* to create
    struct idmap uids;   // with CLONE_NEWUSER
    struct idmap gids;
    int cgroup_fd; // v2 directory to be born in, -1 for none
    int stdio[3];  // descriptors for 0, 1, 2; -1: inherited
    int join_user; // a user namespace to join first, -1 for none; the others are then created inside it
    int join_pid;  // a pid namespace to be born in, -1 for none
    int join_process;         // the pidfd of a process some of whose namespaces are joined all at once, -1 for none
    uint64_t join_namespaces; // with join_process: which (CLONE_NEW*)
    int kept_fds;             // of the descriptors from 3 on, as many as the command gets too
    bool drop_groups;         // with join_process: the caller's additional groups
    bool die_with_parent;
    bool set_oom_score; // before init is there, whose files in /proc belong to the host's root, and not to an ordinary user
    int32_t oom_score;
};

struct launched {
    pid_t pid;
    int pidfd;
    int channel; // to init, which waits for CHANNEL_PLAN
};

void launched_finish(struct launched *launched); // closes; does not kill

// What can be made before there is a process: the sealed copy and the channel. A plan that is sent before the launch waits for init.
struct launch_ready {
    int image;
    int ours; // our end of the channel; launch_ready_init() gives it to struct launched
    int theirs;
};
#define LAUNCH_READY_NONE                                                                                                               \
    { .image = -1, .ours = -1, .theirs = -1 }
void launch_ready_finish(struct launch_ready *ready);
int launch_make_ready(struct launch_ready *ret_ready, struct err *err) MUST_CHECK;

// On success init runs, its id maps are written and it waits for the plan. On an error nothing is left; with errnum EBUSY the cgroup has
// groups below it that its processes must be in (cgroups(7), "no internal processes").
int launch_ready_init(const struct launch *launch, struct launch_ready *ready, struct launched *ret_launched, struct err *err) MUST_CHECK;

// Both in one.
int launch_init(const struct launch *launch, struct launched *ret_launched, struct err *err) MUST_CHECK;

// Kills and reaps what launch_init made.
void launch_abort(struct launched *launched);

#endif
