#include "runtime/net/conntrack.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

// What to compare (net/netfilter/nf_internals.h, Linux 5.9), and where it is told. An older kernel takes no notice and lists
// everything.
enum { FILTER_ORIGINAL = 1, FILTER_REPLY = 2, FILTER_SENDER = 1 << 0 };

enum { ATTEMPTS = 100, FORGET_AT_ONCE = 500 };

static void begin(struct buf *batch, uint16_t type, uint16_t flags, uint32_t number, uint8_t family) {
    const struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};
    netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags, number, &header, sizeof(header));
}

// --- one connection ---

struct side {
    struct netlink_bytes sender;
    uint8_t protocol;
    uint16_t port; // that is addressed
};

static struct side side_of(struct netlink_bytes attributes, uint16_t tuple_type, uint8_t family) {
    struct netlink_bytes tuple = netlink_find(attributes, tuple_type, 0);
    struct netlink_bytes ip = netlink_find(tuple, CTA_TUPLE_IP, 0), protocol = netlink_find(tuple, CTA_TUPLE_PROTO, 0);
    const uint8_t *number = netlink_find(protocol, CTA_PROTO_NUM, 1).data;
    const uint8_t *port = netlink_find(protocol, CTA_PROTO_DST_PORT, 2).data;
    return (struct side){
        .sender = family == AF_INET ? netlink_find(ip, CTA_IP_V4_SRC, 4) : netlink_find(ip, CTA_IP_V6_SRC, 16),
        .protocol = number ? *number : 0,
        .port = port ? (uint16_t)(port[0] << 8 | port[1]) : 0,
    };
}

static bool is_sender(const struct side *side, const struct address *address) {
    return side->sender.data && memcmp(side->sender.data, address->bytes, address_bits(address) / 8) == 0;
}

static bool is_matched(struct netlink_bytes attributes, uint8_t family, const struct conntrack_match *match) {
    struct side original = side_of(attributes, CTA_TUPLE_ORIG, family), reply = side_of(attributes, CTA_TUPLE_REPLY, family);
    bool by_address =
        match->container.family == 0 ||
        (match->container.family == family && (is_sender(&original, &match->container) || is_sender(&reply, &match->container)));
    return by_address && (match->protocol == 0 || match->protocol == original.protocol) &&
           (match->port == 0 || match->port == original.port);
}

// --- all of them ---

struct search {
    const struct conntrack_match *match;
    uint8_t family;
    struct buf requests; // to forget what was found
    uint32_t count;
};

static void copy(struct buf *batch, struct netlink_bytes attributes, uint16_t type, uint16_t as) {
    struct netlink_bytes content = netlink_find(attributes, type, 0);
    if (content.data) {
        netlink_add(batch, as, content.data, content.size);
    }
}

// With its id, which is of this one alone: the same addresses may have met again in the meantime.
static int take_connection(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct search *search = context;
    struct netlink_bytes attributes = netlink_attributes(message, sizeof(struct nfgenmsg));
    if (message->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) || search->count >= FORGET_AT_ONCE ||
        !is_matched(attributes, search->family, search->match)) {
        return 0;
    }
    begin(&search->requests, IPCTNL_MSG_CT_DELETE, 0, search->count++, search->family);
    copy(&search->requests, attributes, CTA_TUPLE_ORIG, CTA_TUPLE_ORIG | NLA_F_NESTED);
    copy(&search->requests, attributes, CTA_ID, CTA_ID);
    copy(&search->requests, attributes, CTA_ZONE, CTA_ZONE);
    return 0;
}

// Tells the kernel which sender to look for, on the side of the request or on that of the answer.
static void add_filter(struct buf *batch, const struct address *address, bool reply) {
    size_t tuple = netlink_nest(batch, reply ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG);
    size_t ip = netlink_nest(batch, CTA_TUPLE_IP);
    netlink_add(batch, address->family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, address->bytes, address_bits(address) / 8);
    netlink_nest_end(batch, ip);
    netlink_nest_end(batch, tuple);
    size_t filter = netlink_nest(batch, CTA_FILTER);
    netlink_add_u32(batch, FILTER_ORIGINAL, reply ? 0 : FILTER_SENDER);
    netlink_add_u32(batch, FILTER_REPLY, reply ? FILTER_SENDER : 0);
    netlink_nest_end(batch, filter);
}

static int search_once(int fd, struct search *search, bool filtered, bool reply, struct netlink_failure *failure, struct err *err) {
    AUTO_BUF struct buf batch = {0};
    *failure = (struct netlink_failure){0};
    begin(&batch, IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0, search->family);
    if (filtered) {
        add_filter(&batch, &search->match->container, reply);
    }
    return netlink_exchange(fd, &batch, 0, take_connection, search, failure, err);
}

// A kernel that cannot look for itself lists all.
static int search_side(int fd, struct search *search, bool reply, struct err *err) {
    struct netlink_failure failure;
    bool filtered = search->match->container.family != 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        if (search_once(fd, search, filtered, reply, &failure, err) < 0) {
            return -1;
        }
        if (failure.errnum == 0) {
            return 0;
        }
        if (failure.errnum == EPERM) {
            return err_set(err, ERR_UNSUPPORTED, "forget connections: only root can do so (CAP_NET_ADMIN is missing)");
        }
        if (failure.errnum != EINTR && !filtered) {
            break;
        }
        filtered = filtered && failure.errnum == EINTR;
    }
    return failure.errnum == EINTR
               ? 0
               : err_num(err, failure.errnum, "list connections"); // it never stood still: what was seen is taken
}

static int forget(int fd, struct search *search, struct err *err) {
    struct netlink_failure failure = {0};
    char *at = search->requests.data;
    for (uint32_t i = 0; i + 1 < search->count; i++) {
        at += NLMSG_ALIGN(((struct nlmsghdr *)(void *)at)->nlmsg_len);
    }
    ((struct nlmsghdr *)(void *)at)->nlmsg_flags |= NLM_F_ACK;
    if (netlink_exchange(fd, &search->requests, search->count - 1, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    bool done = failure.errnum == 0 || failure.errnum == ENOENT; // it ended by itself
    return done ? 0 : err_num(err, failure.errnum, "forget connections");
}

// Looks, forgets, and looks again while there is more than is forgotten at once.
static int forget_match(int fd, struct search *search, struct err *err) {
    for (int i = 0; i < ATTEMPTS && (i == 0 || search->count >= FORGET_AT_ONCE); i++) {
        buf_clear(&search->requests);
        search->count = 0;
        if (search_side(fd, search, false, err) < 0 ||
            (search->match->container.family && search_side(fd, search, true, err) < 0) ||
            (search->count > 0 && forget(fd, search, err) < 0)) {
            return -1;
        }
    }
    return 0;
}

int conntrack_forget(int fd, const struct conntrack_match *matches, size_t count, struct err *err) {
    static const uint8_t families[] = {AF_INET, AF_INET6};
    int result = 0;
    for (size_t i = 0; i < count * ARRAY_LEN(families) && result == 0; i++) {
        struct search search = {.match = &matches[i / ARRAY_LEN(families)], .family = families[i % ARRAY_LEN(families)]};
        if (search.match->container.family == 0 || search.match->container.family == search.family) {
            result = forget_match(fd, &search, err);
        }
        buf_finish(&search.requests);
    }
    return result;
}
