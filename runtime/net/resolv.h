// resolv: what resolv.conf(5) says: who is asked, and how names are completed.
#ifndef COFFER_NET_RESOLV_H
#define COFFER_NET_RESOLV_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct buf;

enum { RESOLV_MAX_SERVERS = 6, RESOLV_LINE_SIZE = 1024, RESOLV_MAX_BYTES = 1 << 16 };

struct resolv_server {
    struct address address;
    char scope[IF_NAMESIZE]; // of a link-local one: the interface; ""
};

struct resolv {
    struct resolv_server
        servers[RESOLV_MAX_SERVERS]; // in their order, each once; what comes after is left out, as the C libraries do
    size_t server_count;
    char search[RESOLV_LINE_SIZE];  // what stands behind the last "search" or "domain", blanks made one; ""
    char options[RESOLV_LINE_SIZE]; // of all "options" lines
};

// Cannot fail: lines that make no sense are left out, as the C libraries do. `text` need not end in NUL.
void resolv_parse(const char *text, size_t size, struct resolv *ret);

// One of the host's own files; one that cannot be read says nothing.
void resolv_read(const char *path, struct resolv *ret);

// Adds the servers of the other one behind those of the first that are not there yet.
void resolv_add_servers(struct resolv *resolv, const struct resolv *other);

// Whether one of the servers is systemd-resolved's own address, which asks others: what those are is in RESOLV_BEHIND_STUB.
bool resolv_has_stub(const struct resolv *resolv);

// resolv.conf of a container, added to `text`. It asks the gateways of its networks, whose responders know the rest; where there
// are none, the host's servers, but for those on the host's loopback, which it cannot reach. The host's search list is kept, and
// its options but for ndots: a bare name is that of a neighbour first (ndots:0), before it is tried in domains where anything may
// have it.
void resolv_for_container(const struct resolv *host, const struct address *gateways, size_t gateway_count, struct buf *text);

#define RESOLV_PATH "/etc/resolv.conf"
#define RESOLV_BEHIND_STUB "/run/systemd/resolve/resolv.conf"

#endif
