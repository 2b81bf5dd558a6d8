// connection_pasta: the network of an ordinary user's container: pasta(1), one for each container, from its start to its end
// (runtime/net/rootless.h). Part of a connection.
//
// Theory of operation. The container has an address of a subnet that is nowhere else, and a gateway that is there to be sent to:
// what leaves is carried by pasta's own sockets, so it comes from the host's address. Published ports are pasta's to listen on, and
// who connects is seen with his own address. The gateway answers for names where the host's own server is on its loopback, as
// systemd-resolved's stub is, which the container cannot reach; others are asked directly.
//
// The monitor looks after pasta: one that has died is started again. It is told by three ways that the container has ended: by the
// monitor's SIGKILL, by the kernel where the monitor is no more, and by the next command, which removes the container's run-time
// folder and in it the file "netns", by whose path pasta knows the network.
#ifndef COFFER_ENGINE_CONNECTION_PASTA_H
#define COFFER_ENGINE_CONNECTION_PASTA_H

#include "runtime/base/attr.h"
#include "runtime/net/firewall.h"
#include "runtime/net/rootless.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct attachment_list;
struct buf;
struct err;
struct home;

struct pasta {
    bool taken;
    const struct home *home;
    const char *container; // its id
    struct rootless_plane ipv4, ipv6;
    char interface[IF_NAMESIZE];
    bool forward_names;
    const char *name; // of the interface
    bool bare;        // which is set up by somebody else
    struct arena *arena;
    struct firewall_port *ports; // in the arena
    size_t port_count;
    pid_t pid, target;    // whose namespaces they are
    pid_t bound;          // goes with the root file system of this process
    int pidfd, events_fd; // -1: none
    int64_t started_ms;
};

// What --network calls it.
#define PASTA_NETWORK "pasta"

// Whether it would have IPv6 on this host.
int pasta_has_ipv6(bool *ret, struct err *err) MUST_CHECK;

// Whether one of the wishes is for it.
bool pasta_is_meant(const struct attachment_list *wishes);

// Decides on addresses. Nothing is made yet.
int pasta_take(struct pasta *pasta, const struct home *home, const char *container, const struct attachment_list *wishes,
               struct arena *arena, struct err *err) MUST_CHECK;

// Those of the container, two at most; none where it was not taken.
size_t pasta_addresses(const struct pasta *pasta, struct address *ret);

// Fills in what is there, where it was taken.
void pasta_describe(const struct pasta *pasta, struct arena *arena, struct attachment_list *list);

// The container's resolv.conf, added to `text`.
void pasta_write_resolv(const struct pasta *pasta, struct buf *text);

// Starts it for the container whose first process is `target`, with these ports, which are free, of both families.
int pasta_attach(struct pasta *pasta, pid_t target, const struct firewall_port *ports, size_t count, struct err *err) MUST_CHECK;

// Another use of it: the way out of the user's commons (commons.h), which `anchor` is in. It has `folder` below the run-time
// folder.
int pasta_lead_out(struct pasta *pasta, const struct home *home, const char *folder, pid_t anchor, struct arena *arena,
                   struct err *err) MUST_CHECK;

// A third use: it listens for the ports of a container in the commons, by an interface of its own there, which edge.h sets up; what
// comes for a port has that port there, too. bound: the container's first process. ipv6: wanted where it can be had.
struct pasta_listening {
    const struct home *home;
    const char *container;
    const char *name; // of the interface; kept
    pid_t anchor, bound;
    bool ipv6;
    const struct firewall_port *ports;
    size_t port_count;
};
int pasta_listen(struct pasta *pasta, const struct pasta_listening *listening, struct arena *arena, struct err *err) MUST_CHECK;

// From now on another process is there to find the namespaces by.
void pasta_move(struct pasta *pasta, pid_t target);

// Who answers there for a name server that is on the host's loopback; of no family where there is none.
struct address pasta_name_server(const struct pasta *pasta);

// The container's command runs: pasta is bound to its root file system. Never fails: there is the third way.
void pasta_bind(struct pasta *pasta);

// A descriptor that gets readable when it dies; -1: none.
int pasta_watched(const struct pasta *pasta);

// It has died: pidfd is readable. Starts it again, unless it has just been started: then, and where that fails, there is no network
// any more, and pidfd is -1.
int pasta_revive(struct pasta *pasta, struct err *err) MUST_CHECK;

// Ends it, and waits until its ports are free.
void pasta_release(struct pasta *pasta);

// The same for what a killed monitor has left.
void pasta_sweep(const struct home *home, const char *container);

#endif
