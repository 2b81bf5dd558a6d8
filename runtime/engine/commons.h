// commons: the network namespace that all networks with a name of an ordinary user are in: their bridges, the table of the packet
// filter, the responders of names. It is what the host is to root's networks.
//
// Theory of operation. An ordinary user may do all this in a network namespace of his own, whose user namespace is his. There is
// one of these pairs for each store, made by the first container that joins a network, and gone with the last. Who joins one has a
// user namespace within that of the commons, so that one process can have rights over both ends of an interface. What is done in
// the commons is done by the same code as root's, in a process aside that has our memory (runtime/kernel/elsewhere.h); as root:
// right here.
//
// A process per store, the keeper, sees to it: it starts another one whose only purpose is to be there, in the namespaces, for
// pasta and for the next keeper to find them by (the anchor), and pasta, which is the way out. It hands out descriptors by a
// socket, and who holds the other end of a connection uses the commons: the monitors of containers, while they live, and commands,
// while they work. When nobody does, and no container has an interface there (one whose monitor was killed), the keeper takes all
// away and ends. A keeper that was killed is started again by the first monitor that sees it, or by the next command; the anchor
// has kept the namespaces meanwhile; where that was killed, too, a monitor or the responder of a network has. Else the containers'
// networks are lost until they are started again, as their user namespaces are within the one that is gone.
//
//   ROOT/containers/STORE/commons/lock     held by who makes a keeper or connects to one, and by a keeper that goes
//                                 keeper   the socket
//                                 anchor   its number and start time
//                                 pasta    the same of the pasta
#ifndef COFFER_ENGINE_COMMONS_H
#define COFFER_ENGINE_COMMONS_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct home;

struct commons {
    int keeper_fd; // gets readable when the keeper has died; -1: there are no commons, root has the host
    int user_fd, net_fd;
    pid_t anchor;               // a process that is there
    struct address name_server; // who answers for the host's name servers that only the host reaches; of no family: nobody
    bool fresh;                 // made for us
    bool inside;
};

#define COMMONS_NONE                                                                                                               \
    { .keeper_fd = -1, .user_fd = -1, .net_fd = -1 }

// Uses them until commons_leave(), making them as needed. As root, does nothing.
int commons_join(const struct home *home, struct commons *ret, struct err *err) MUST_CHECK;

// The same where there are any; false where not, or they do not answer.
bool commons_find(const struct home *home, struct commons *ret) MUST_CHECK;

// The keeper has died: finds another, or makes one. ERR_STATE when the namespace itself is lost.
int commons_mend(const struct home *home, struct commons *commons, struct err *err) MUST_CHECK;

void commons_leave(struct commons *commons);
#define AUTO_COMMONS AUTO(commons_leave)

// Does it there, with all that it changes in memory and opens; here where there are none, and where we are there already.
int commons_do(struct commons *commons, int (*work)(void *context, struct err *err), void *context, struct err *err) MUST_CHECK;

// A user namespace for a container, within that of the commons and with the same ids.
int commons_user_namespace(struct commons *commons, const struct home *home, struct err *err) MUST_CHECK;

// Whether this user namespace is one of these.
bool commons_include(const struct commons *commons, int userns_fd);

// Whether it is certain that a container that runs was on networks that are gone; and where these are new, which of all.
bool commons_lack(const struct commons *commons, const struct home *home, const char *id);
void commons_tell_losses(const struct commons *commons, const struct home *home);

// Has a keeper take away what is left of one that was killed, or go on with it.
void commons_sweep(const struct home *home);

#endif
