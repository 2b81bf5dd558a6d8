// Takes away from the calling process what a worker has no use for: the room's own, and those that copy files of containers.
#ifndef COFFER_IMAGES_UNPACK_JAIL_H
#define COFFER_IMAGES_UNPACK_JAIL_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct err;

// Who only reads keeps just what it takes to read anyone's files, and on demand trusted.* attributes.
enum unpack_jail { UNPACK_JAIL_WRITES, UNPACK_JAIL_READS, UNPACK_JAIL_READS_TRUSTED };

// Keeps the descriptors (jail_keep_descriptors()) and closes all others; the directory becomes the root; capabilities, privileges
// and system calls go. There is no way back.
int unpack_jail_enter(const int *kept_fds, size_t kept_count, int dir_fd, enum unpack_jail jail, struct err *err) MUST_CHECK;

// The same for a process that only decompresses, from one descriptor into another: there is nothing that it could open, so it needs
// no root of its own, nor a privilege to make it one.
int unpack_jail_enter_plain(const int *kept_fds, size_t kept_count, struct err *err) MUST_CHECK;

#endif
