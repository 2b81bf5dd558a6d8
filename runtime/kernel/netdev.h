// netdev: interfaces of this network namespace moved into another, with their addresses, and taken back when what follows fails.
//
// Theory of operation. A move takes three datagrams, whatever the number of interfaces: one that asks for all of them and their
// addresses, one that moves and renames them all, and one, by a socket of the other namespace, that adds the addresses, which the
// kernel forgets with the move, and sets the interfaces up. What an interface is called and numbered over there is told by the kernel
// itself, in the message by which it takes leave here: looking it up by name could meet another one, and a name with %d is not known
// before. The two sockets keep both namespaces alive, and undo what was done by the same two requests the other way.
//
// Permanent addresses of global scope go along (runtime-spec, "Linux Network Devices"), with their prefix, peer, broadcast and flags.
// Routes that were set by hand do not: they are the namespace's, not the interface's.
#ifndef COFFER_KERNEL_NETDEV_H
#define COFFER_KERNEL_NETDEV_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct err;

struct netdev {
    const char *name;     // here
    const char *new_name; // there: NULL for the same, "eth%d" for one with the next free number
};

struct netdev_moved;

// What was moved, for its undoing.
struct netdev_move {
    int here, there; // sockets
    int here_ns;
    int there_ns; // borrowed while it is at work
    struct netdev_moved *devices;
    size_t count;
};

#define NETDEV_MOVE_NONE                                                                                                           \
    { .here = -1, .there = -1, .here_ns = -1, .there_ns = -1 }

// Moves all of them into the namespace, or none. The names are checked ones, and no two devices are the same. Enters the other
// namespace and comes back: for programs with one thread. Needs CAP_NET_ADMIN over both, and CAP_SYS_ADMIN.
int netdev_move(const struct netdev *devices, size_t count, int there_ns, struct netdev_move *ret, struct err *err) MUST_CHECK;

// Brings back what was moved, under the old names, with the addresses, up where it was up. Logs what it cannot.
void netdev_undo(struct netdev_move *move);

// Leaves it where it is.
void netdev_move_finish(struct netdev_move *move);

#endif
