// limits: what the configuration's linux.resources, or a document of `update`, means for the container's cgroup. Internal to the room.
#ifndef COFFER_CONTAINER_LIMITS_H
#define COFFER_CONTAINER_LIMITS_H

struct arena;
struct cgroup_limits;
struct oci_resources;

// Fills all but the device rules. What it points to lives in the arena or in the resources.
void limits_take(const struct oci_resources *from, struct arena *arena, struct cgroup_limits *limits);

// The device rules in their order, then those that every container has: the standard devices stay allowed under a default deny.
void limits_add_devices(const struct oci_resources *from, struct arena *arena, struct cgroup_limits *limits);

#endif
