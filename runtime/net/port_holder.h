// port_holder: which process has a port of the host, for an error message: the kernel tells the socket (sock_diag(7)), and the
// descriptors of all processes are looked through for it. Slow, and only as good as the caller's rights.
#ifndef COFFER_NET_PORT_HOLDER_H
#define COFFER_NET_PORT_HOLDER_H

#include "runtime/net/address.h"

#include <stdbool.h>
#include <stdint.h>

enum { PORT_HOLDER_SIZE = 300 };

// Writes who it is, such as "nginx" (process 12) with its quotes; false when that cannot be told.
bool port_holder(uint8_t protocol, const struct address *address, uint16_t port, char ret[PORT_HOLDER_SIZE]);

#endif
