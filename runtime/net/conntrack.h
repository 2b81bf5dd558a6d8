// conntrack: makes the kernel forget connections that it follows, when who they led to is gone. Of TCP a new connection is told by
// its first packet; what is sent by UDP belongs to an old one for as long as it goes on, and would be turned to the address of a
// container that was replaced for ever.
#ifndef COFFER_NET_CONNTRACK_H
#define COFFER_NET_CONNTRACK_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stddef.h>
#include <stdint.h>

struct err;

// What is told must hold, all of it.
struct conntrack_match {
    struct address container; // who began the connection, or whom it was turned to; of no family: anybody
    uint8_t protocol;         // IPPROTO_UDP, ...; 0: any
    uint16_t port;            // that was addressed at first: the host's, of a published one; 0: any
};

// Forgets what one of them matches. In a namespace where nothing is followed there is nothing to forget. The socket is
// firewall_open()'s, and CAP_NET_ADMIN is needed as there.
int conntrack_forget(int fd, const struct conntrack_match *matches, size_t count, struct err *err) MUST_CHECK;

#endif
