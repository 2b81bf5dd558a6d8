// ports: published ports of the host are reserved before they are published, by sockets that are bound to them and do nothing else.
// So a conflict is found when it can still be told, and as long as they are held nobody else's server can listen there, whose
// connections the packet filter would turn to a container.
//
// They belong to who lives as long as the container does. They never listen: where the filter does not turn a connection away from
// them
// (::1), it is refused at once.
#ifndef COFFER_NET_PORTS_H
#define COFFER_NET_PORTS_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stddef.h>
#include <stdint.h>

struct err;

enum { PORT_MOST_ADDRESSES = 2 };

struct port_wish {
    uint8_t protocol;                              // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP
    struct address addresses[PORT_MOST_ADDRESSES]; // of the host, 0.0.0.0 and :: for all of a family: one port on all of these
    size_t address_count;
    uint16_t first, last; // one of these will do; 0: any that the kernel likes
};

struct port_reservation {
    uint16_t port;
    int fds[PORT_MOST_ADDRESSES]; // -1: none is needed, or this kernel has none of the kind (SCTP, IPv6)
};
#define PORT_RESERVATION_NONE                                                                                                      \
    {                                                                                                                              \
        .fds = { -1, -1 }                                                                                                          \
    }

// Who has a port, as far as the caller knows ("container web"); NULL when nobody of ours does.
typedef const char *port_owner(void *context, uint8_t protocol, const struct address *address, uint16_t port);

// What is taken is ERR_EXISTS, whose text names who has it: one of ours, or the process, where the kernel tells. `owner` may be
// NULL.
int port_reserve(const struct port_wish *wish, port_owner *owner, void *context, struct port_reservation *ret,
                 struct err *err) MUST_CHECK;

void port_release(struct port_reservation *reservation);

// For another program of ours that binds with SO_REUSEADDR: it can do so at once, even though a child of the caller's that has not
// executed its program yet has the sockets, too, and for as long.
void port_hand_over(struct port_reservation *reservation);
#define AUTO_PORT_RESERVATION AUTO(port_release)

#endif
