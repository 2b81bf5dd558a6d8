// link: what bridges and endpoints ask the routing family of the kernel (rtnetlink(7)) in common: addresses of their own, hardware
// addresses, requests by name. A batch is numbered from 1 on, so that a failure tells which request it was.
#ifndef COFFER_NET_LINK_H
#define COFFER_NET_LINK_H

#include "runtime/base/attr.h"
#include "runtime/kernel/netlink.h"
#include "runtime/net/address.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;

enum { MAC_SIZE = 6 };

// An address of an interface, which knows that those with the same first bits are beside it.
struct link_address {
    struct address address;
    uint8_t prefix; // bits
};

// A hardware address that is the same for the same address, always: whoever takes an address over from another container takes its
// hardware address too, and no neighbour remembers a wrong one. Locally administered, unicast (IEEE 802). Of IPv4 addresses no two
// have the same; of IPv6 addresses a sum of 32 bits goes in.
void link_mac_of(const struct address *address, uint8_t ret_mac[MAC_SIZE]);

// The same for who has no address, but a name.
void link_mac_of_name(const char *name, uint8_t ret_mac[MAC_SIZE]);

// As people write it, 02:00:5e:10:00:01; false for what is none, or is not of one host.
bool link_parse_mac(const char *text, uint8_t ret_mac[MAC_SIZE]);

// Returns `text`.
enum { MAC_TEXT_SIZE = 18 };
char *link_format_mac(const uint8_t mac[MAC_SIZE], char text[MAC_TEXT_SIZE]);

// The link-local address that belongs to a hardware address (RFC 4291, appendix A).
struct link_address link_local_of(const uint8_t mac[MAC_SIZE]);

// The number of an interface, 0 when there is none of that name; and, where these are not NULL, what it is ("bridge", "veth"; ""
// where the kernel has no word) and its hardware address.
enum { LINK_KIND_SIZE = 16 };
int link_find(int fd, const char *name, char ret_kind[LINK_KIND_SIZE], int *ret_index, uint8_t ret_mac[MAC_SIZE],
              struct err *err) MUST_CHECK;

// Gives what the kernel tells of an interface (RTM_NEWLINK) to take(), which is not called where there is none of that name.
int link_look(int fd, const char *name, netlink_take *take, void *context, struct err *err) MUST_CHECK;

// What its maker has noted on it (IFLA_IFALIAS); "" where there is nothing, or no interface.
enum { LINK_NOTE_SIZE = 128 };
int link_read_note(int fd, const char *name, char ret_note[LINK_NOTE_SIZE], struct err *err) MUST_CHECK;

// Removes an interface of that name and kind, and waits until it is gone, 30 ms. That there is none is no error.
int link_remove(int fd, const char *name, const char *kind, struct err *err) MUST_CHECK;

// Requests, added to a batch. `last` asks for the answer that ends the batch.
void link_add_address(struct buf *batch, uint32_t number, int index, const struct link_address *address, bool last);
void link_add_up(struct buf *batch, uint32_t number, int index, const char *name, bool last); // by its name where index is 0
void link_add_note(struct buf *batch, uint32_t number, const char *name, const char *note, bool last);
// No IPv6 address but those that are given: none of the kernel's own making, none that an advertised router names. For an interface
// that is not up yet.
void link_add_quiet(struct buf *batch, uint32_t number, const char *name, bool last);

// A pair of interfaces (veth(4)): the first one has this name and is a bridge's port; what is added before link_end_pair() is the other
// one's. mtu: bytes; 0: the kernel's.
struct link_pair {
    size_t info, data, other;
};
void link_begin_pair(struct buf *batch, uint32_t number, const char *name, int bridge, uint32_t mtu, struct link_pair *ret);
void link_end_pair(struct buf *batch, const struct link_pair *pair);

// What comes from a bridge's port may go back to it: where bridged packets meet the packet filter (br_netfilter), that turns what a
// container sends to its own published port back within the bridge, which would keep it from the port that it came by.
void link_add_port_mode(struct buf *batch, uint32_t number, const char *name);

// From then on the kernel tells the neighbours of each new hardware address, for all IPv4 addresses of the interface (RFC 5227, section
// 3); also when it is told the one that it has.
void link_add_arp_notify(struct buf *batch, uint32_t number, const char *name);
void link_add_mac(struct buf *batch, uint32_t number, int index, const uint8_t mac[MAC_SIZE], bool last);

// Refuses a name that cannot be an interface's.
int link_check_name(const char *name, struct err *err) MUST_CHECK;

#endif
