#include "runtime/net/edge.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/netlink.h"
#include "runtime/net/sysctl.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>

enum { LOOPBACK_INDEX = 1, RULE_ROUTES = 900, RULE_SENDER = 1000, TABLE_FIRST = 100000 };

static const struct address loopback_6 = {AF_INET6, {[15] = 1}};
// Beside the planes of pasta (connection_pasta.c).
static const struct link_address loopback_sender = {{AF_INET6, {0xfd, 0xc0, 0xff, 0xee, 0xcb, [15] = 1}}, 128};

static int exchange(int fd, const struct buf *batch, uint32_t last, int *ret_errnum, struct err *err) {
    struct netlink_failure failure = {0};
    if (netlink_exchange(fd, batch, last, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    *ret_errnum = failure.errnum;
    return 0;
}

// A kernel without IPv6 has no need of it.
static bool is_fine(int errnum) {
    return errnum == 0 || errnum == EEXIST || errnum == EAFNOSUPPORT;
}

// --- rules ---

static void add_rule(struct buf *batch, uint16_t type, uint32_t number, uint8_t family, const struct address *sender,
                     uint32_t priority, uint32_t table) {
    const struct fib_rule_hdr rule = {
        .family = family, .src_len = sender ? (uint8_t)address_bits(sender) : 0, .action = FR_ACT_TO_TBL};
    netlink_begin(batch, type, NLM_F_ACK | (type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0), number, &rule, sizeof(rule));
    netlink_add_u32(batch, FRA_PRIORITY, priority);
    if (table) {
        netlink_add_u32(batch, FRA_TABLE, table);
    }
    if (sender) {
        netlink_add(batch, FRA_SRC, sender->bytes, address_bits(sender) / 8);
    }
}

// All routes but the default one.
static int add_routes_first(int fd, uint8_t family, struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    int errnum;
    add_rule(&batch, RTM_NEWRULE, 1, family, NULL, RULE_ROUTES, RT_TABLE_MAIN);
    netlink_add_u32(&batch, FRA_SUPPRESS_PREFIXLEN, 0);
    if (exchange(fd, &batch, 1, &errnum, err) < 0) {
        return -1;
    }
    return is_fine(errnum) ? 0 : err_num(err, errnum, "make a rule for routes");
}

static int send_by(int fd, const struct address *sender, uint32_t table, struct err *err) {
    char text[ADDRESS_TEXT_SIZE];
    int errnum = 0;
    // More than one there may be of a time when nobody cleared up.
    while (errnum == 0) {
        _Alignas(struct nlmsghdr) char room[256];
        AUTO_BUF struct buf batch = BUF_IN(room);
        add_rule(&batch, RTM_DELRULE, 1, sender->family, sender, RULE_SENDER, 0);
        if (exchange(fd, &batch, 1, &errnum, err) < 0) {
            return -1;
        }
    }
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    add_rule(&batch, RTM_NEWRULE, 1, sender->family, sender, RULE_SENDER, table);
    if (exchange(fd, &batch, 1, &errnum, err) < 0) {
        return -1;
    }
    return is_fine(errnum) ? 0 : err_num(err, errnum, "make a rule for what %s sends", address_format(sender, text));
}

// --- preparing ---

// The kernel's own route for ::1 says nothing of the sender, which is ::1 then.
static int settle_loopback_6(int fd, struct err *err) {
    enum { ADDRESS = 1, REMOVE, ADD };
    _Alignas(struct nlmsghdr) char room[512];
    AUTO_BUF struct buf batch = BUF_IN(room);
    const struct rtmsg any = {.rtm_family = AF_INET6, .rtm_dst_len = 128, .rtm_table = RT_TABLE_LOCAL};
    struct rtmsg route = any;
    route.rtm_protocol = RTPROT_STATIC;
    route.rtm_type = RTN_LOCAL;
    struct netlink_failure failure = {.forgiven_errnum = ESRCH, .forgiven_number = REMOVE};
    link_add_address(&batch, ADDRESS, LOOPBACK_INDEX, &loopback_sender, false);
    netlink_begin(&batch, RTM_DELROUTE, 0, REMOVE, &any, sizeof(any));
    netlink_add(&batch, RTA_DST, loopback_6.bytes, sizeof(loopback_6.bytes));
    netlink_begin(&batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, ADD, &route, sizeof(route));
    netlink_add(&batch, RTA_DST, loopback_6.bytes, sizeof(loopback_6.bytes));
    netlink_add(&batch, RTA_PREFSRC, loopback_sender.address.bytes, sizeof(loopback_sender.address.bytes));
    netlink_add_u32(&batch, RTA_OIF, LOOPBACK_INDEX);
    if (netlink_exchange(fd, &batch, ADD, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    // Without, ::1 is refused, and whoever tries 127.0.0.1 next is served.
    return is_fine(failure.errnum) || failure.errnum == EOPNOTSUPP || failure.errnum == EACCES
               ? 0
               : err_num(err, failure.errnum, "set the sender for ::1");
}

int edge_prepare(struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    int errnum;
    AUTO_FD int fd = netlink_open(err);
    link_add_up(&batch, 1, LOOPBACK_INDEX, NULL, true);
    if (fd < 0 || exchange(fd, &batch, 1, &errnum, err) < 0) {
        return -1;
    }
    if (errnum) {
        return err_num(err, errnum, "set network interface \"lo\" up");
    }
    return add_routes_first(fd, AF_INET, err) < 0 || add_routes_first(fd, AF_INET6, err) < 0 || settle_loopback_6(fd, err) < 0
               ? -1
               : sysctl_take_any_way(err);
}

// --- making one ---

static void add_default_route(struct buf *batch, uint32_t number, int index, const struct address *gateway, bool last) {
    const struct rtmsg route = {.rtm_family = gateway->family,
                                .rtm_table = RT_TABLE_UNSPEC,
                                .rtm_protocol = RTPROT_STATIC,
                                .rtm_scope = RT_SCOPE_UNIVERSE,
                                .rtm_type = RTN_UNICAST,
                                .rtm_flags = RTNH_F_ONLINK};
    netlink_begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | (last ? NLM_F_ACK : 0), number, &route, sizeof(route));
    netlink_add(batch, RTA_GATEWAY, gateway->bytes, address_bits(gateway) / 8);
    netlink_add_u32(batch, RTA_OIF, (uint32_t)index);
    netlink_add_u32(batch, RTA_TABLE, TABLE_FIRST + (uint32_t)index);
}

int edge_make(const struct edge_request *request, struct err *err) {
    enum { MAC = 1, UP, OTHERS };
    _Alignas(struct nlmsghdr) char room[1024];
    AUTO_BUF struct buf batch = BUF_IN(room);
    uint8_t mac[MAC_SIZE];
    int index = 0, errnum;
    uint32_t number = OTHERS;
    AUTO_FD int fd = netlink_open(err);
    if (fd < 0 || link_find(fd, request->name, NULL, &index, NULL, err) < 0) {
        return -1;
    }
    if (index == 0) {
        return err_set(err, ERR_STATE, "network interface \"%s\" is gone already", request->name);
    }
    link_mac_of(&request->planes[0].address, mac);
    link_add_mac(&batch, MAC, index, mac, false);
    for (size_t i = 0; i < request->plane_count; i++) {
        const struct link_address own = {request->planes[i].address, (uint8_t)address_bits(&request->planes[i].address)};
        link_add_address(&batch, number++, index, &own, false);
    }
    link_add_up(&batch, UP, index, NULL, false);
    for (size_t i = 0; i < request->plane_count; i++) {
        add_default_route(&batch, number++, index, &request->gateways[i], i + 1 == request->plane_count);
    }
    if (exchange(fd, &batch, number - 1, &errnum, err) < 0) {
        return -1;
    }
    if (errnum) {
        return err_num(err, errnum, "set network interface \"%s\" up", request->name);
    }
    for (size_t i = 0; i < request->sender_count; i++) {
        if (send_by(fd, &request->senders[i], TABLE_FIRST + (uint32_t)index, err) < 0) {
            return -1;
        }
    }
    return 0;
}
