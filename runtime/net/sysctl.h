// sysctl: the settings under /proc/sys/net that make a host carry packets for others. They are the whole host's: what is set here
// was not set before, is told to the log, and is never taken back, since nobody can know who else relies on it by then.
//
// They are those of the network namespace that the caller is in. A host whose /proc/sys cannot be written (a container's) is fine
// where they are set already.
#ifndef COFFER_NET_SYSCTL_H
#define COFFER_NET_SYSCTL_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

struct sysctl_changes {
    bool ipv4_forwarding, ipv6_forwarding;
    unsigned kept_advertisements; // interfaces that go on to listen to routers, see below
};

// Packets between interfaces are passed on. With IPv6 a host that does so no longer listens to the routers around, and would lose
// its own addresses and default route; the interfaces that did listen (accept_ra 1) are told to go on (2) first.
int sysctl_forward(bool ipv4, bool ipv6, struct sysctl_changes *ret_changes, struct err *err) MUST_CHECK;

// Packets with addresses in 127.0.0.0/8 can leave and enter by this interface. Without it what the host sends to a published port
// of 127.0.0.1 could not be turned to a container, nor the answers back. Nothing else may come in that way: firewall.h drops what
// bears such an address already when it arrives, so the network is added there first. For networks with published ports alone.
int sysctl_route_localnet(const char *interface, struct err *err) MUST_CHECK;

// Packets may come in by another interface than the answers would leave by. For a network namespace of our own.
int sysctl_take_any_way(struct err *err) MUST_CHECK;

// The next two take a handle on procfs (runtime/kernel/procfs.h), or -1 for /proc. For another network namespace's interfaces a handle of
// our own it must be: the kernel remembers each namespace's settings that were ever looked up under one procfs in one list, by their
// name, and walks along it for the next look (proc_sys_compare(), Linux 6.18). A thousand containers made one more cost 8 ms.

// The interface no longer listens to those who say they are routers: a container that can send such packets would be asked to carry
// what others send (CVE-2020-13401). Fine on a host without IPv6.
int sysctl_ignore_advertisements(int proc_fd, const char *interface, struct err *err) MUST_CHECK;

// The interface has no IPv6 at all: it sends nothing of its own accord, which a bridge would have to carry to all that are on it.
int sysctl_disable_ipv6(int proc_fd, const char *interface, struct err *err) MUST_CHECK;

#endif
