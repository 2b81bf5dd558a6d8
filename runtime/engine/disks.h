// disks: how fast a container may read from and write to disks: --blkio-weight, --blkio-weight-device, --device-read-bps and its like.
// Disks that are named are looked at for their numbers.
#ifndef COFFER_ENGINE_DISKS_H
#define COFFER_ENGINE_DISKS_H

#include "runtime/base/attr.h"

struct arena;
struct config_request;
struct err;
struct oci_block_io;

int disks_merge(const struct config_request *request, struct arena *arena, struct oci_block_io *io, struct err *err) MUST_CHECK;

#endif
