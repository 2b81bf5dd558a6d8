// stats: what a container uses, as the line of JSON that `events` prints for other tools. Internal to the room.
#ifndef COFFER_CONTAINER_STATS_H
#define COFFER_CONTAINER_STATS_H

struct buf;
struct cgroup;

// Appends {"type":"stats","id":ID,"data":{...}} and a newline, with the members of runc's (types/events.go).
// rdt: the record of its class of service (intel_rdt.h), NULL for none.
void stats_write(const struct cgroup *cgroup, const char *id, const char *rdt, struct buf *line);

#endif
