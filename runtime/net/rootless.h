// rootless: a network for a namespace whose maker may not make interfaces on the host: pasta(1), a process that carries what the
// namespace sends by sockets of its own, and listens for published ports. It is the one helper program of this room; there is no
// other way without privileges.
//
// Theory of operation. Nothing is left to pasta's guesses, which are about the host's interfaces and change with them: addresses,
// gateways, hardware addresses and ports are all told. The interface's hardware address above all: as long as pasta does not know
// it, it sends to nobody (00:00:00:00:00:00), and does not send again for ten seconds. It learns it from the first frame that the
// namespace happens to send, so without, connections that come early are taken and carry nothing.
//
// It confines itself: a folder that is empty, namespaces of its own, few system calls. It holds the network namespace alive and
// does not notice when the last process in it ends. So it is ended by its pidfd; and where the process that should do so was killed: by
// the file by whose path it was given the namespace, when that is removed, and, bound by rootless_bind(), by the kernel as soon as
// the container's root file system is gone.
#ifndef COFFER_NET_ROOTLESS_H
#define COFFER_NET_ROOTLESS_H

#include "runtime/base/attr.h"
#include "runtime/net/firewall.h"
#include "runtime/net/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct err;

// Pasta's path, where the host has it, else where it should be.
const char *rootless_program(void);

// Whether it is there, and may make interfaces.
bool rootless_is_possible(void);

struct rootless_plane {
    struct link_address address; // of the interface in the namespace; of no family: none of this family is wanted
    struct address gateway;
};

struct rootless_request {
    const char *program;               // pasta's absolute path
    pid_t target;                      // a process in the network namespace, and in the user namespace that it belongs to
    const char *netns;                 // a path that leads to the same network namespace, a file that ends pasta when it is removed
    const char *interface;             // of the host, whose IPv6 is used; NULL: that of the default route
    const char *name;                  // of the interface there: "eth0"
    struct rootless_plane ipv4, ipv6;  // the latter only where the host has a way out by it
    bool bare;                         // the interface is made and left down, without addresses and routes
    bool forward_names;                // what the gateway of IPv4 is asked by UDP goes to the host's first server of IPv4
    const struct firewall_port *ports; // the targets' addresses do not matter: there is one
    size_t port_count;
    int kept_fd; // stays open in pasta for as long as it runs: for rootless_bind(); -1: none
};

// The words that pasta is started with, the program's first, NULL at the end. It writes its number to the descriptor when all is
// ready. A protocol that it does not carry (SCTP) is ERR_UNSUPPORTED.
int rootless_arguments(struct arena *arena, const struct rootless_request *request, int number_fd, char *const **ret,
                       struct err *err) MUST_CHECK;

// Starts it and waits until the network is there. It goes on in the background, no child of the caller's.
int rootless_start(const struct rootless_request *request, pid_t *ret_pid, int *ret_pidfd, struct err *err) MUST_CHECK;

// What pasta is to keep open: a descriptor to be closed when it is bound.
int rootless_events_open(struct err *err) MUST_CHECK;

// From here on the kernel ends pasta when the file system that is the root of `target` is unmounted, as it is with its mount
// namespace: the events of that reach pasta as a signal (F_SETSIG), whoever else lives.
int rootless_bind(int events_fd, pid_t pasta, pid_t target, struct err *err) MUST_CHECK;

#endif
