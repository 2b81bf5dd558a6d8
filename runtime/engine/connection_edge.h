// connection_edge: how the published ports of a container on an ordinary user's networks are reached: by a pasta of its own, which
// listens on the host, and has an interface in the commons (commons.h). What comes by it bears the sender's own address, and the
// packet filter there turns it to the container as root's does. Part of connections.h.
#ifndef COFFER_ENGINE_CONNECTION_EDGE_H
#define COFFER_ENGINE_CONNECTION_EDGE_H

#include "runtime/base/attr.h"

#include <sys/types.h>

struct connections;
struct err;

// pid: the container's first process. Does nothing where there are no ports, or no commons.
int edge_open(struct connections *connections, pid_t pid, struct err *err) MUST_CHECK;

// The ports lead to other addresses by now.
int edge_follow(struct connections *connections, struct err *err) MUST_CHECK;

// Its pasta has died.
int edge_revive(struct connections *connections, struct err *err) MUST_CHECK;

#endif
