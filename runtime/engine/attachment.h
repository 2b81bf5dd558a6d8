// attachment: that a container is on a network: as its user wants it to be there, and, while it runs, as it is.
//
// A container's list of them is settled when it is made, changed by `network connect` and `disconnect`, and kept in its record: a
// start takes what stands there. Each has a number of its own, which it keeps for as long as it is in the list; its interface is
// named by that, so that eth0 stays eth0 whatever comes and goes.
#ifndef COFFER_ENGINE_ATTACHMENT_H
#define COFFER_ENGINE_ATTACHMENT_H

#include "runtime/base/attr.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address;
struct arena;
struct err;
struct run_request;

enum { ATTACHMENTS_MAX = 32 };

struct attachment {
    const char *network;  // its name or id, as the user has said it
    const char **aliases; // names it has there, beside its own
    size_t aliases_count;
    const char *ip, *ip6, *mac; // what it wants; NULL: any
    const char *link_name;      // the interface in the container; NULL: by its number
    int64_t gw_priority;        // whose gateway is the container's way out: the highest, and the first by name among those
    int64_t number;             // of its interface
    // While the container runs.
    const char *network_id, *network_name;
    const char *ipv4, *ipv6, *hardware; // addresses; NULL: none of the kind
    const char *gateway4, *gateway6;    // of the network
    int64_t prefix4, prefix6;           // bits
};

// A published port, as the packet filter has it.
struct attachment_port {
    const char *protocol; // tcp, udp, sctp
    const char *host;     // an address of the host; "": all
    uint32_t host_port;
    const char *target; // the container's address
    uint32_t target_port;
};

struct attachment_list {
    struct attachment *items;
    size_t items_count;
    struct attachment_port *ports; // while it runs
    size_t ports_count;
};

// What the request says: networks, and the flags that are about the first of them. Looks at nothing but the words.
int attachment_list_parse(const struct run_request *request, struct arena *arena, struct attachment_list *ret,
                          struct err *err) MUST_CHECK;

// One, in docker's long form, name=NETWORK,alias=NAME,ip=ADDRESS,..., or as a bare name.
int attachment_parse(struct arena *arena, const char *text, struct attachment *ret, struct err *err) MUST_CHECK;

// KEY=VALUE of docker's for the interface; the text is kept.
int attachment_driver_option(struct attachment *attachment, const char *option, struct err *err) MUST_CHECK;

// Refuses addresses and names that cannot be any. `flag`: begins the message.
int attachment_check(const char *flag, const struct attachment *attachment, struct err *err) MUST_CHECK;

// The lowest number that none of them has.
int64_t attachment_free_number(const struct attachment_list *list);

// Its interface in the container, and the host's end of that.
const char *attachment_link_name(const struct attachment *attachment, char name[IF_NAMESIZE]);
const char *attachment_host_name(const char *container, int64_t number, char name[IF_NAMESIZE]);

// As it stands there, in the arena; NULL where it is of no family.
const char *attachment_address(struct arena *arena, const struct address *address);

// As JSON, in the arena; `as_is`: with what is there while it runs.
const char *attachment_list_write(const struct attachment_list *list, bool as_is, struct arena *arena);
int attachment_list_read(const char *text, struct arena *arena, struct attachment_list *ret, struct err *err) MUST_CHECK;

// A request's network is one of its own: neither none, nor somebody else's.
bool request_has_own_network(const struct run_request *request);

// Whose network it shares (--network container:NAME); NULL: nobody's.
const char *request_joined_container(const struct run_request *request);

#endif
