// resources: what a container may use of the host, from the request into its configuration: memory, processors, processes, disks,
// devices, limits of its processes, settings of its kernel. Touches nothing but the arena, and looks at devices that are named.
#ifndef COFFER_ENGINE_RESOURCES_H
#define COFFER_ENGINE_RESOURCES_H

#include "runtime/base/attr.h"

struct arena;
struct config_request;
struct err;
struct oci_config;

// config->process and config->mounts are there already.
int resources_merge(const struct config_request *request, struct arena *arena, struct oci_config *config, struct err *err) MUST_CHECK;

#endif
