// devices: what of the host's devices a container sees, and which it may use: --device, --gpus, --device-cgroup-rule, --privileged. Devices that
// are named are looked at.
#ifndef COFFER_ENGINE_DEVICES_H
#define COFFER_ENGINE_DEVICES_H

#include "runtime/base/attr.h"

struct arena;
struct config_request;
struct err;
struct oci_config;

// config->process and config->mounts are there already.
int devices_merge(const struct config_request *request, struct arena *arena, struct oci_config *config, struct err *err) MUST_CHECK;

#endif
