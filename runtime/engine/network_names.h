// The names by which a container is reached on a network (runtime/net/dns.h).
#ifndef COFFER_ENGINE_NETWORK_NAMES_H
#define COFFER_ENGINE_NETWORK_NAMES_H

#include "runtime/base/attr.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/network.h"

#include <stddef.h>

struct err;
struct home;

// Makes it known by these names (its own first, aliases behind it) and by the first twelve digits of its id, under the addresses of
// its lease, and sees to it that the network has a responder. Before the container starts. netns_fd: where the bridge is, or will
// be; -1: here. Does nothing on a network whose names are not answered.
int network_names_publish(const struct home *home, const struct network *network, const struct lease *lease,
                          const char *const *names, size_t name_count, int netns_fd, struct err *err) MUST_CHECK;

// The responder ends by itself with the last of them.
void network_names_withdraw(const struct home *home, const struct network *network, const char *container);

// Whether containers of the network are told to ask its gateway for names.
bool network_has_names(const struct network *network);

#endif
