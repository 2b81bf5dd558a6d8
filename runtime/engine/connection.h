// connection: a container's place in a network: its addresses, the interface in its namespace, its published ports.
//
// Theory of operation. What must be known before the container is made is taken first: addresses, by links in the store, and ports
// of the host, by sockets that the monitor holds, so that a conflict is told before anything is there. The interface is made when
// the container's namespace is there and its init mounts; the ports are published last. What is in the kernel dies with the
// namespace, but for the ports, which go when the container ends; what a killed monitor left behind is taken away by whoever meets
// it next.
#ifndef COFFER_ENGINE_CONNECTION_H
#define COFFER_ENGINE_CONNECTION_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/network.h"
#include "runtime/net/firewall.h"
#include "runtime/net/ports.h"

#include <stdbool.h>

struct buf;
struct err;
struct home;
struct run_request;

struct connection {
    const struct home *home;
    const char *container; // its id
    struct network network;
    bool taken; // it is in the network
    struct lease lease;
    struct port_reservation *reservations;
    size_t reservation_count;
    struct firewall_port *ports;
    size_t port_count;
    bool published;
    bool named; // its names are answered there
    struct arena arena;
};

// Takes what the request asks for. The container's record is locked by the caller, and borrowed. Nothing to do for --network none
// and host.
int connection_take(struct connection *connection, const struct home *home, const struct record *record,
                    const struct run_request *request, struct err *err) MUST_CHECK;

// The container's resolv.conf, added to `text`.
void connection_write_resolv(const struct connection *connection, struct buf *text);

// Makes the interface in the container's namespace, and publishes its ports. context: the connection.
int connection_attach(void *context, int netns_fd, struct err *err) MUST_CHECK;

// Gives all back. One that was not taken is fine.
void connection_release(struct connection *connection);

#endif
