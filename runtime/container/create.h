// creation: a container while it is being made, shared by create and run. Internal to the room.
#ifndef COFFER_CONTAINER_CREATE_H
#define COFFER_CONTAINER_CREATE_H

#include "runtime/base/arena.h"
#include "runtime/container/launch.h"
#include "runtime/container/notify.h"
#include "runtime/container/plan.h"
#include "runtime/container/state_dir.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/netdev.h"
#include "runtime/kernel/rdt.h"

struct container_options;
struct err;

struct creation {
    struct arena arena;
    struct state_dir dir;
    bool dir_made;
    struct container_plan plan;
    struct cgroup cgroup;
    struct launch_ready ready;
    struct launched launched;
    struct netdev_move net_devices; // moved into the container
    struct rdt_tree rdt; // opened where the configuration asks for a class of service
    struct rdt_group rdt_group;
    struct container_record record;
    bool plan_complete, plan_sent;
    bool released; // from then on hooks may have run
    bool done;     // the container was made; what is undone from then on is what `delete` would remove
    struct notify notify; // of what runs in the foreground
    int console; // the pty's master, -1
    int network; // a network namespace that init has not joined yet, -1
};

#define CREATION_NONE                                                                                                                   \
    {                                                                                                                                   \
        .dir = {.root_fd = -1, .fd = -1}, .ready = LAUNCH_READY_NONE, .launched = {.pidfd = -1, .channel = -1}, .console = -1, .network = -1,          \
        .net_devices = NETDEV_MOVE_NONE, .rdt = {.fd = -1}, .notify = NOTIFY_NONE                                                       \
    }

// Makes the container up to where init waits for `start` (wait_for_start), or up to where its command runs. Attached: it dies with
// this process. On an error everything is undone, but creation_finish() is still to be called.
int creation_begin(struct creation *creation, const struct container_options *options, bool wait_for_start, bool attached,
                   struct err *err) MUST_CHECK;

// The steps of creation_begin() that a restore takes as well, in this order: what is going to be made is written down; the group is made,
// before its first process is there or after (has_process), as its manager needs it; the process enters its class of service and the limits are set; hooks run while the container
// is being made; the process that there is now is written down; and that it outlives its maker.
int creation_note(struct creation *creation, const struct container_options *options, struct err *err) MUST_CHECK;
int creation_place(struct creation *creation, const struct container_options *options, bool has_process, struct err *err) MUST_CHECK;
int creation_enter_class(struct creation *creation, const struct container_options *options, struct err *err) MUST_CHECK;
int creation_set_limits(struct creation *creation, bool before_plan, struct err *err) MUST_CHECK;
int creation_run_early_hooks(struct creation *creation, const struct container_options *options, struct err *err) MUST_CHECK;
int creation_complete(struct creation *creation, struct err *err) MUST_CHECK;
int creation_detach(struct creation *creation, struct err *err) MUST_CHECK;

// create_network.c: the network namespace, where it is not init's to make, and what is to be in it. Init waits for it.
int creation_make_network(struct creation *creation, const struct container_options *options, struct err *err) MUST_CHECK;

// attend.c: removes the container with all that was made for it, and runs its poststop hooks; stays with it, which is our child, to its
// end before. *ret_status as container_run().
void creation_remove(struct creation *creation, const struct container_options *options);
int creation_attend(struct creation *creation, const struct container_options *options, int *ret_status, struct err *err) MUST_CHECK;

// Runs the hooks of a kind (enum oci_hook_kind), poststart or poststop.
int creation_run_hooks(struct creation *creation, const struct container_options *options, unsigned kind, struct err *err) MUST_CHECK;

// Kills and removes all that was made.
void creation_undo(struct creation *creation);

void creation_finish(struct creation *creation);
#define AUTO_CREATION AUTO(creation_finish)

#endif
