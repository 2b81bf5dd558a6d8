// Unix sockets by their path, and descriptors over them (unix(7), SCM_RIGHTS).
//
// A path may be longer than the 107 bytes that fit into an address: it is opened first then and reached by its descriptor. Paths are
// the caller's own, as it gave them, never those of something in a container.
#ifndef COFFER_KERNEL_UNIX_SOCKET_H
#define COFFER_KERNEL_UNIX_SOCKET_H

#include "runtime/base/attr.h"

#include <stddef.h>

// Connects to the socket of the type (SOCK_STREAM, SOCK_DGRAM). A path that begins with @ is an abstract name. -1 with errno.
int unix_socket_connect(const char *path, int type) MUST_CHECK;

// Sends the data, the descriptor with its first byte. -1 with errno; a peer that is gone is EPIPE, never a signal.
int unix_socket_send_fd(int socket, const void *data, size_t size, int fd) MUST_CHECK;

#endif
