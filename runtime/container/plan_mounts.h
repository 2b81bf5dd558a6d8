// The parts of container_plan_mounts(). Internal to the room.
#ifndef COFFER_CONTAINER_PLAN_MOUNTS_H
#define COFFER_CONTAINER_PLAN_MOUNTS_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct container_options;
struct container_plan;
struct err;
struct oci_config;

// Puts mounts[number] of the configuration into the plan, whose arrays have room for it.
int container_plan_mount(const struct container_options *options, size_t number, struct container_plan *plan,
                         struct err *err) MUST_CHECK;

// Puts its destination there alone, for what is mounted there to be taken away (PLAN_CHANGE_REMOVE).
int container_plan_unmount(const struct container_options *options, size_t number, struct container_plan *plan,
                           struct err *err) MUST_CHECK;

// plan_devices.c: the nodes of /dev, those of the configuration first. How many there can be.
size_t container_plan_device_count(const struct oci_config *config);
int container_plan_devices(const struct oci_config *config, struct container_plan *plan, struct err *err) MUST_CHECK;

#endif
