// monitor_group: the control group that monitors are in, rather than in that of whoever has started the container.
//
// Theory of operation. A session that is closed, or a unit that is stopped, takes the processes of its group along, and counts their
// memory and their number. So all monitors of the host are in one group of theirs, /coffer-monitors, without limits; one for each would
// cost the kernel more than a monitor has. An ordinary user's is beside the group that he has started the container from, where that
// was delegated to him: in what his own systemd starts, but not in a session, of ssh or a console, where the kernel lets nobody but root
// move a process. There his systemd is asked for a scope, as by systemd-run --user --scope, when the container is to have limits;
// else, or where there is none to be asked, the monitor stays where it is. On version 1 it is in those hierarchies that somebody kills by or that its starter is limited in; and there the container
// is, too, in those that it has no group of its own in.
//
// The last one to leave removes the group. What a killed monitor leaves is used, and removed, by the next.
#ifndef COFFER_ENGINE_MONITOR_GROUP_H
#define COFFER_ENGINE_MONITOR_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

// What the containers' own groups are in, beside the monitors' (container_options.cgroup_folder).
#define MONITOR_GROUP_CONTAINERS "coffer-containers"

struct home;

// As process_clone(): the child is there, born there where there is version 2; limited: the container that it starts from there is to
// have limits. Where it cannot be there is no error. The caller has one thread.
pid_t monitor_group_clone(const struct home *home, bool limited, int *ret_pidfd);

// For a process that is about to run a command in a container: where that is in the monitors' group for want of one of its own, so
// is the command, and not in the caller's, whose path it would see. Where an ordinary user may move no process from here into the group
// that holds the container's limits, we go to where he may.
void monitor_group_follow(const struct home *home, bool limited);

// It is about to end.
void monitor_group_leave(bool rootless);

#endif
