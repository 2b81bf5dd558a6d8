// sweep: removing what a killed command left. Internal to the room; container_sweep() is the public face.
#ifndef COFFER_CONTAINER_SWEEP_H
#define COFFER_CONTAINER_SWEEP_H

struct state_dir;

// Removes a container whose folder is locked by us and whose maker died before there was a process: the cgroup it had written down,
// with whatever is in it, and the folder.
void sweep_unfinished(struct state_dir *dir);

#endif
