// stats: what a container uses, as the line of JSON that `events` prints for other tools. Internal to the room.
#ifndef COFFER_CONTAINER_STATS_H
#define COFFER_CONTAINER_STATS_H

struct buf;
struct cgroup;

// Appends {"type":"stats","id":ID,"data":{...}} and a newline, with the members of runc's (types/events.go).
void stats_write(const struct cgroup *cgroup, const char *id, struct buf *line);

#endif
