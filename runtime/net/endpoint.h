// endpoint: the interface by which a container is on a network, made from outside and ready when it is handed over: addresses,
// routes, loopback. 1 ms at most, most of it the kernel's making of two interfaces.
//
// Theory of operation. One request makes a pair of interfaces (veth(4)): ours enslaved to the bridge and up, the other one born in
// the container's namespace under its final name and hardware address; so no half-made one is ever seen, here or there. By a socket
// of that namespace follow the number of the new interface, then in one datagram all else. IPv6 addresses are usable at once: the
// kernel's own asking around takes a second, and we are who gives addresses away.
//
// The pair dies with the namespace. To remove it by name costs 30 ms of waiting in the kernel, so that is left to
// endpoint_remove(), for what an interrupted command or a replaced container has left behind.
//
// The caller has one thread: it is in the container's namespace for a moment.
#ifndef COFFER_NET_ENDPOINT_H
#define COFFER_NET_ENDPOINT_H

#include "runtime/base/attr.h"
#include "runtime/net/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum endpoint_kind {
    ENDPOINT_BRIDGED, // a veth pair, the host's end in a bridge
    ENDPOINT_MACVLAN, // an address of its own beside the host's on the link of one of its interfaces; host and container do not
                      // hear each other
};

struct endpoint_request {
    enum endpoint_kind kind;
    const char *parent;    // the bridge; of a macvlan the host's interface
    const char *host_name; // of the host's end, derived from ids by the caller; a macvlan has none
    const char *trunk, *trunk_port; // of a bridge that is crowded, the trunk to be on instead (trunk.h); NULL: none. Where the kernel
                                    // has no macvlans, the bridge gets one port more.
    // The bridge learns at once where this hardware address is now: it may know it by a trunk still, and send there for minutes.
    bool settle;
    const char *name;      // in the container: "eth0"
    uint8_t mac[MAC_SIZE]; // zeroes: link_mac_of() the first address, or the kernel's choice
    const struct link_address *addresses;
    size_t address_count;
    const struct address *gateways; // of the default routes: at most one a family
    size_t gateway_count;
    uint32_t mtu; // bytes; 0: the parent's, as with `ip link`, or the kernel's
    // Tells the neighbours that these addresses are here now: where somebody else had one a moment ago, with a hardware address
    // that did not follow from it, or from another port of the bridge.
    bool announce;
};

// What there is afterwards. Nothing of it must be kept to remove it.
struct endpoint {
    int index; // in the container
    uint8_t mac[MAC_SIZE];
    bool on_trunk; // it has no end on the host
};

// What was made is removed when it fails: the namespace may go on.
int endpoint_create(const struct endpoint_request *request, int netns_fd, struct endpoint *ret, struct err *err) MUST_CHECK;

// The loopback interface of a namespace that has no other: a container without a network.
int endpoint_loopback(int netns_fd, struct err *err) MUST_CHECK;

// The default routes of a namespace lead by this interface from now on, those of the gateways' families.
int endpoint_route(int netns_fd, int index, const struct address *gateways, size_t count, struct err *err) MUST_CHECK;

// Puts the host's end, or a trunk's port, into a bridge that was made anew. *ret_there: there is such an end.
int endpoint_rejoin(const char *host_name, const char *bridge, bool *ret_there, struct err *err) MUST_CHECK;

// Whether the container has an interface of that number.
int endpoint_is_within(int netns_fd, int index, bool *ret_there, struct err *err) MUST_CHECK;

// Takes these addresses off one: whoever stays in the namespace when its container has ended has them no more. There may be none.
int endpoint_strip(int netns_fd, int index, const struct link_address *addresses, size_t count, struct err *err) MUST_CHECK;

// Removes an interface by its number in the container. There may be none.
int endpoint_remove_within(int netns_fd, int index, struct err *err) MUST_CHECK;

// Removes a pair by the name of the host's end, or a trunk by its name, and waits for that. There may be none.
int endpoint_remove(const char *host_name, struct err *err) MUST_CHECK;

#endif
