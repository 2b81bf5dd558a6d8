// publication: the ports of the host that lead to a container. They are reserved before the container is made, so that a conflict
// is told before anything is there, and published when it has an interface; they may lead to another address of it later, when
// another of its networks becomes its way out.
#ifndef COFFER_ENGINE_PUBLICATION_H
#define COFFER_ENGINE_PUBLICATION_H

#include "runtime/base/attr.h"
#include "runtime/net/firewall.h"
#include "runtime/net/ports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct home;
struct strv;

struct publication {
    const struct home *home;
    const char *container; // its id
    struct arena *arena;
    struct port_reservation *reservations;
    struct publication_wish *wishes; // one a reservation
    size_t count;
    struct firewall_port *ports; // where they lead
    size_t port_count;
    struct firewall_port *entries; // the same for the packet filter
    size_t entry_count;
    bool carried; // to the packet filter by pasta (connection_edge.h)
    bool published;
};

// Of which families the container has an address that ports can lead to.
struct publication_families {
    bool ipv4, ipv6;
    const char *without_ipv6; // what is said of it where there is none
};

// Reserves all that the words (publish.h) say, in IPv6 too where there is any. Zeroed is none. What the arena holds must live as
// long. An address of the host whose family the container does not have is ERR_INPUT.
int publication_reserve(struct publication *publication, const struct strv *words, const struct publication_families *families,
                        struct err *err) MUST_CHECK;

// They are to lead to these addresses; of no family: to none. They are not published, or withdrawn, then.
void publication_aim(struct publication *publication, const struct address *ipv4, const struct address *ipv6);

// What of these ports stands in the packet filter, `count` at most: 0.0.0.0 and :: are all addresses there. What pasta carries
// comes to the namespace's loopback, if the host's was asked, and else to its interface, whatever the host's address was.
size_t publication_entries(const struct firewall_port *ports, size_t count, bool carried, struct firewall_port *entries);

int publication_publish(struct publication *publication, struct err *err) MUST_CHECK;
void publication_withdraw(struct publication *publication);

// Takes ports out of the packet filter, with the flows that still lead by them; those that lead elsewhere by now stay.
int publication_take_back(int firewall_fd, const struct firewall_port *ports, size_t count, struct err *err) MUST_CHECK;

// Another program of ours is to listen on them, which it can only when nobody holds them.
void publication_let_go(struct publication *publication);

// That program could not: puts in place of the error who took a port meanwhile, if anybody did. Returns -1.
int publication_explain(struct publication *publication, struct err *err) MUST_CHECK;

// Withdraws them, and gives all back.
void publication_release(struct publication *publication);

#endif
