// rootless: a network for a namespace whose maker may not make interfaces on the host: pasta(1), a process that carries what the
// namespace sends by sockets of its own, and listens for published ports. It is the one helper program of this room; there is no
// other way without privileges.
//
// It holds the namespace alive and does not notice when the last process in it ends, so it lives until its starter ends it by its
// pidfd.
#ifndef COFFER_NET_ROOTLESS_H
#define COFFER_NET_ROOTLESS_H

#include "runtime/base/attr.h"
#include "runtime/net/firewall.h"

#include <stddef.h>
#include <sys/types.h>

struct arena;
struct err;

struct rootless_request {
    const char *program;               // pasta's absolute path
    pid_t target;                      // a process in the network namespace, and in the user namespace that it belongs to
    const char *name;                  // of the interface there: "eth0"
    const struct firewall_port *ports; // the targets' addresses do not matter: there is one
    size_t port_count;
};

// The words that pasta is started with, the program's first, NULL at the end. It writes its number to the descriptor when all is
// ready. A protocol that it does not carry (SCTP) is ERR_UNSUPPORTED.
int rootless_arguments(struct arena *arena, const struct rootless_request *request, int number_fd, char *const **ret,
                       struct err *err) MUST_CHECK;

// Starts it and waits until the network is there. It goes on in the background, no child of the caller's.
int rootless_start(const struct rootless_request *request, pid_t *ret_pid, int *ret_pidfd, struct err *err) MUST_CHECK;

#endif
