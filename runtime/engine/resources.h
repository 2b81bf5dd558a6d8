// resources: what a container may use of the host, from the request into its configuration: memory, processors, processes, disks,
// devices, limits of its processes, settings of its kernel. Touches nothing but the arena, and looks at devices that are named.
#ifndef COFFER_ENGINE_RESOURCES_H
#define COFFER_ENGINE_RESOURCES_H

#include "runtime/base/attr.h"
#include "specs/values.h"

#include <stdbool.h>

struct arena;
struct config_request;
struct err;
struct oci_config;
struct oci_resources;
struct run_request;

// config->process and config->mounts are there already.
int resources_merge(const struct config_request *request, struct arena *arena, struct oci_config *config, struct err *err) MUST_CHECK;

// Most memory and swap together, as asked for or by default; not set: no limit.
struct opt_i64 resources_memory_swap(const struct run_request *run);

// Whether any limit is asked for that a control group has to hold.
bool resources_asked(const struct run_request *request);

// The limits that `changes` names, as they are to be in a container whose wish is `whole` by then.
int resources_change(const struct run_request *whole, const struct run_request *changes, struct oci_resources *ret, struct err *err) MUST_CHECK;

#endif
