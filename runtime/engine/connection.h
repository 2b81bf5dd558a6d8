// connection: a container's place in one network: its addresses, its names, the interface in its namespace.
//
// Theory of operation. What must be known before the container is made is taken first: addresses, by links in the store. The
// interface is made when the container's namespace is there. What is in the kernel dies with the namespace; what a killed monitor
// left behind is taken away by whoever meets it next. A container has one connection a network (connections.h).
#ifndef COFFER_ENGINE_CONNECTION_H
#define COFFER_ENGINE_CONNECTION_H

#include "runtime/base/attr.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/network.h"
#include "runtime/engine/network_crowd.h"
#include "runtime/net/dns.h"
#include "runtime/net/link.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct home;
struct network_names;

struct connection {
    const struct home *home;
    const char *container; // its id
    const struct attachment *wish;
    struct network network;
    struct lease lease;
    bool taken; // it has addresses there
    bool named; // its names are answered there
    bool made;  // its interface is there
    bool on_trunk; // and has no end on the host
    // It may set its interfaces as it likes (CAP_NET_ADMIN): on a trunk it could hear what is sent to others there.
    bool own_port;
    struct network_crowd crowd;
    int index;  // in the container's namespace
    struct dns_beginning responder; // the network's, while it is being started for this one
    uint8_t mac[MAC_SIZE];
};

// Finds the network and takes addresses. The container's record is locked by the caller, who keeps `wish` and the arena as long.
int connection_take(struct connection *connection, struct arena *arena, struct err *err) MUST_CHECK;

// Makes it known: by its own names, and by those of its wish.
int connection_publish_names(struct connection *connection, const struct network_names *own, struct err *err) MUST_CHECK;

// Makes the interface in the container's namespace. gateway4, gateway6: it is the way out, of that family.
int connection_make(struct connection *connection, int netns_fd, bool gateway4, bool gateway6, struct err *err) MUST_CHECK;

// Makes one whose interface is there the way out, in place of another.
int connection_lead_out(const struct connection *connection, int netns_fd, bool gateway4, bool gateway6, struct err *err) MUST_CHECK;

// Brings its host's side back into a bridge that was made anew. *ret_there: the container has its interface still.
int connection_rejoin(const struct connection *connection, int netns_fd, bool *ret_there, struct err *err) MUST_CHECK;

// Takes the interface out of a namespace that lives on, and waits for that.
int connection_unmake(struct connection *connection, int netns_fd, struct err *err) MUST_CHECK;

// When the container has ended, who is in its namespace still (a second container, say) has its addresses no more. By a bridge's port of its
// own that is so as soon as another one has its name; a trunk has no such end.
int connection_strip(const struct connection *connection, int netns_fd, struct err *err) MUST_CHECK;

// Gives addresses and names back. One that was not taken is fine.
void connection_release(struct connection *connection);

// Of this family it can be the container's way out.
bool connection_leads_out(const struct connection *connection, uint8_t family);

#endif
