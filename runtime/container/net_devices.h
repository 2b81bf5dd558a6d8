// linux.netDevices: interfaces of the host that become the container's (runtime/kernel/netdev.h). Internal to the room.
#ifndef COFFER_CONTAINER_NET_DEVICES_H
#define COFFER_CONTAINER_NET_DEVICES_H

#include "runtime/base/attr.h"

#include <sys/types.h>

struct container_plan;
struct err;
struct netdev_move;
struct oci_config;

// Into the plan.
int net_devices_plan(const struct oci_config *config, struct container_plan *plan, struct err *err) MUST_CHECK;

// Moves those of the plan, of which there are some, into the network namespace of the container: `network`, or where
// that is -1 the one of its init or the one that it joins.
int net_devices_move(const struct container_plan *plan, pid_t init, int network, struct netdev_move *ret, struct err *err) MUST_CHECK;

#endif
