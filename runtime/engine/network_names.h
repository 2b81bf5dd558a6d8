// The names by which a container is reached on a network (runtime/net/dns.h).
#ifndef COFFER_ENGINE_NETWORK_NAMES_H
#define COFFER_ENGINE_NETWORK_NAMES_H

#include "runtime/base/attr.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/network.h"

#include <stddef.h>

struct dns_beginning;
struct err;
struct home;

struct network_names {
    const char *const *names; // its own first, aliases behind it
    size_t count;
    const struct address *servers; // whom to ask for others in place of the host's servers
    size_t server_count;
    const struct address *besides; // gateways of its other networks, whose responders know others
    size_t beside_count;
    struct address stand_in; // dns.h
    int netns_fd;  // where the bridge is, or will be; -1: here
    int cgroup_fd; // of version 2, for the responder: it outlives the command that starts it, and whatever is ended together with
                   // that; -1: the command's own
    struct dns_beginning *beginning; // where wanted: the responder, when it must be started, is not waited for (runtime/net/dns.h)
};

// Makes it known by these names and by the first twelve digits of its id, under the addresses of its lease, and sees to it that the
// network has a responder. Before the container starts. Does nothing on a network whose names are not answered.
int network_names_publish(const struct home *home, const struct network *network, const struct lease *lease,
                          const struct network_names *names, struct err *err) MUST_CHECK;

// The responder ends by itself with the last of them.
void network_names_withdraw(const struct home *home, const struct network *network, const char *container);

// Whether containers of the network are told to ask its gateway for names.
bool network_has_names(const struct network *network);

#endif
