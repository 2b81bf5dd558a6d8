// idrange: the 65,536 host ids that a container of root's has for itself.
//
// Theory of operation. A container started by root must not run as root of the host: each gets a user namespace whose ids stand for
// a range that no account, no subordinate range and no other container uses, so that one that breaks out is nobody, not even to
// another container. The ranges lie from 1879048192 to 2147352575 (0x70000000 to 0x7ffdffff), which systemd's and Debian's tables
// of ids leave free; a line "coffer:FIRST:COUNT" in /etc/subuid names another place.
//
// A range is taken by one system call: the symbolic link ids/NUMBER to the container's id (links.h). Two takers cannot both
// succeed, and nothing can be half written. Containers that join another one's namespaces have its range, too, by links in
// ids/shared: it is free again when the last of them is removed.
#ifndef COFFER_ENGINE_IDRANGE_H
#define COFFER_ENGINE_IDRANGE_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;

enum { IDRANGE_SIZE = 65536 };

// Takes a free range for the container and returns its first host id. store_fd: the store's directory.
int idrange_take(int store_fd, const char *container, uint32_t *ret_first, struct err *err) MUST_CHECK;

// Takes part in a range that another container has.
int idrange_share(int store_fd, const char *container, uint32_t first, struct err *err) MUST_CHECK;

// Gives it back, or leaves it to those that share it; one that is not the container's is left alone.
void idrange_release(int store_fd, const char *container, uint32_t first);

// Gives back all that is the container's, where its record does not say which.
void idrange_release_all(int store_fd, const char *container);

#endif
