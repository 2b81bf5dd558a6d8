// dns: the names of a network's containers, answered on its gateway's addresses, port 53 of UDP and TCP.
//
// Theory of operation. A network has one responder, a process of its own: the program in runtime/net/responder, which lies inside
// this one. Its sockets are bound before it starts; it then gives up all it does not need: it is nobody, without capabilities, can
// open no file but to read below its three directories, and knows some forty system calls. What it is sent by containers and by
// name servers is a stranger's (dns_message.h).
//
// It is told nothing once it runs. It reads who is there from the network's folder of endpoints (dns_names.h), again whenever
// something changes there, and whom to ask from the host's resolv.conf, again when that has changed. It ends by itself when the
// last endpoint is gone, and with the folder.
//
// Who is known is answered at once. What is not known is asked of the host's servers, in their order, the next one when one has
// said nothing for half a second; a yes of any is taken, a no of a later one only when those before it have had a second more. It
// sees the host's own resolver, too (127.0.0.53), which knows what belongs to which VPN, and asks those behind that only when it
// does not answer. An internal network asks nobody: there the unknown does not exist.
//
// One responder a network: it holds the lock of the file dns.lock in the network's folder (flock(2)) while it lives, and its number
// stands in it.
#ifndef COFFER_NET_DNS_H
#define COFFER_NET_DNS_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

struct dns_request {
    const char *network;          // its name: NAME.NETWORK is another way to say NAME
    int folder_fd;                // the network's folder, with "endpoints" in it
    struct address stand_in;      // asked in place of servers of 127.0.0.0/8, which are not here; of no family: they are
    int netns_fd;                 // where the gateways' addresses are, or will be; -1: here
    int cgroup_fd;                // of version 2, to live in; -1: ours
    const int *sockets;           // bound already (dns_bind), borrowed; NULL: to be bound
    const struct subnet *subnets; // one of each family at most; only who has an address in one is answered
    const struct address *gateways;
    size_t count;
    bool forward;
};

enum { DNS_MAX_FAMILIES = 2 };

// Starts the network's responder, or finds the one it has. The endpoint that it is needed for is published before. Returns the pid,
// and, where wanted, *ret_pidfd, the caller's. It is no child of ours. Needs CAP_NET_BIND_SERVICE in the namespace; for programs
// with one thread.
pid_t dns_start(const struct dns_request *request, int *ret_pidfd, struct err *err) MUST_CHECK;

// The same in two parts, for who has more to do while it starts: questions wait in its sockets meanwhile. dns_await() says why it could not,
// and finishes the beginning; so does dns_beginning_finish(), for who does not want to know any more. Of where there was one already,
// and zeroed, there is nothing to wait for.
struct dns_beginning {
    pid_t child; // a child of ours, which ends at once
    int status_fd;
};
int dns_begin(const struct dns_request *request, struct dns_beginning *ret, struct err *err) MUST_CHECK;
int dns_await(struct dns_beginning *beginning, struct err *err) MUST_CHECK;
void dns_beginning_finish(struct dns_beginning *beginning);

// Only binds: UDP and TCP for each gateway, in the namespace that the request names; for callers who must be somebody else to do
// so. The sockets are the caller's.
int dns_bind(const struct dns_request *request, int ret_sockets[2 * DNS_MAX_FAMILIES], struct err *err) MUST_CHECK;

// The network's responder: 0 when it has none.
pid_t dns_find(int folder_fd, int *ret_pidfd);

#endif
