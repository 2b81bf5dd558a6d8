// A process with all that it has started.
#ifndef COFFER_KERNEL_PROCESS_TREE_H
#define COFFER_KERNEL_PROCESS_TREE_H

#include <stddef.h>
#include <sys/types.h>

// Where the processes stand among which those are that it has started: fills *ret_pids, malloc'd, and returns how many.
struct process_source {
    size_t (*list)(void *context, pid_t **ret_pids);
    void *context;
};

// All processes that /proc shows; no context.
size_t process_list_all(void *context, pid_t **ret_pids);

// Those of them in the same pid namespace as this process, in the same way: all of a container that has one of its own, and no control
// group. Whose namespace we may not see is left out.
size_t process_list_namespace(pid_t member, pid_t **ret_pids);

// Kills a child of ours that leads a session, all that descends from it, and all that is in its session. They are stopped first, from
// the root on, so that none of them starts another while we look. What has left both its parent and the session before is a process
// of its own and not found. No number is taken for another process that has it now.
void process_tree_kill(pid_t root, const struct process_source *source);

#endif
