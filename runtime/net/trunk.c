#include "runtime/net/trunk.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/kernel/netlink.h"
#include "runtime/net/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <string.h>

enum { CREATE = 1, PORT_MODE, QUIET, PORT_UP, UP };

// The other end, which is born as the port's peer: it has the name and nothing else yet.
static void add_pair(struct buf *batch, const struct trunk_request *request, int bridge) {
    struct link_pair pair;
    uint8_t mac[MAC_SIZE];
    link_mac_of_name(request->name, mac);
    link_begin_pair(batch, CREATE, request->port, bridge, request->mtu, &pair);
    netlink_add_string(batch, IFLA_IFNAME, request->name);
    netlink_add(batch, IFLA_ADDRESS, mac, sizeof(mac));
    if (request->mtu) {
        netlink_add_u32(batch, IFLA_MTU, request->mtu);
    }
    link_end_pair(batch, &pair);
}

// It would answer for the addresses of the host, which the bridge does.
static void add_up_without_arp(struct buf *batch, const struct trunk_request *request) {
    enum { FLAGS = IFF_UP | IFF_NOARP };
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_flags = FLAGS, .ifi_change = FLAGS};
    netlink_begin(batch, RTM_NEWLINK, NLM_F_ACK, UP, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, request->name);
}

static int make(int fd, const struct trunk_request *request, int *ret_errnum, struct err *err) {
    _Alignas(struct nlmsghdr) char room[1024];
    AUTO_BUF struct buf batch = BUF_IN(room);
    // An interface without IPv6 (a host's, or one with packets too small for it) is quiet as it is.
    struct netlink_failure failure = {.forgiven_errnum = EAFNOSUPPORT, .forgiven_number = QUIET};
    int bridge = 0;
    if (link_find(fd, request->bridge, NULL, &bridge, NULL, err) < 0) {
        return -1;
    }
    if (bridge == 0) {
        return err_set(err, ERR_NOT_FOUND, "make network interface \"%s\": this host has no bridge \"%s\"", request->port,
                       request->bridge);
    }
    add_pair(&batch, request, bridge);
    link_add_port_mode(&batch, PORT_MODE, request->port);
    link_add_quiet(&batch, QUIET, request->port, false);
    link_add_quiet(&batch, QUIET, request->name, false);
    link_add_up(&batch, PORT_UP, 0, request->port, false);
    add_up_without_arp(&batch, request);
    if (netlink_exchange(fd, &batch, UP, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    *ret_errnum = failure.errnum;
    return 0;
}

static int take_ends(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct trunk *trunk = context;
    const struct ifinfomsg *link = NLMSG_DATA(message);
    trunk->index = link->ifi_index;
    trunk->port_index = (int)netlink_attribute_u32(message, sizeof(*link), IFLA_LINK, 0);
    return 0;
}

// Two who make it at once: the second one finds it there.
int trunk_ensure(int fd, const struct trunk_request *request, struct trunk *ret, struct err *err) {
    int errnum = 0;
    *ret = (struct trunk){0};
    if (link_look(fd, request->name, take_ends, ret, err) < 0 || ret->index != 0) {
        return ret->index != 0 ? 0 : -1;
    }
    if (make(fd, request, &errnum, err) < 0) {
        return -1;
    }
    if (errnum != 0 && errnum != EEXIST) {
        return err_num(err, errnum, "make network interface \"%s\" on bridge \"%s\"", request->port, request->bridge);
    }
    ret->made = errnum == 0;
    if (link_look(fd, request->name, take_ends, ret, err) < 0) {
        return -1;
    }
    return ret->index != 0 ? 0 : err_set(err, ERR_STATE, "network interface \"%s\" was gone as soon as it was made", request->name);
}

// --- who is on one ---

struct search {
    const int *indexes;
    size_t count;
    bool found;
};

// An address of the other end's own filter, one host's.
static int take_address(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct search *search = context;
    const struct ndmsg *entry = NLMSG_DATA(message);
    if (message->nlmsg_type != RTM_NEWNEIGH || message->nlmsg_len < NLMSG_LENGTH(sizeof(*entry)) || !(entry->ndm_flags & NTF_SELF)) {
        return 0;
    }
    const uint8_t *mac = netlink_attribute(message, sizeof(*entry), NDA_LLADDR, MAC_SIZE);
    for (size_t i = 0; i < search->count && mac && !(mac[0] & 1); i++) {
        search->found = search->found || entry->ndm_ifindex == search->indexes[i];
    }
    return 0;
}

int trunks_are_used(int fd, const int *indexes, size_t count, bool *ret, struct err *err) {
    struct search search = {indexes, count, false};
    struct netlink_failure failure = {.errnum = EINTR};
    const struct ndmsg any = {.ndm_family = AF_BRIDGE};
    while (count > 0 && failure.errnum == EINTR) { // a change meanwhile cuts it short
        _Alignas(struct nlmsghdr) char room[256];
        AUTO_BUF struct buf batch = BUF_IN(room);
        netlink_begin(&batch, RTM_GETNEIGH, NLM_F_DUMP, 1, &any, sizeof(any));
        failure = (struct netlink_failure){0};
        if (netlink_exchange(fd, &batch, 1, take_address, &search, &failure, err) < 0) {
            return -1;
        }
    }
    if (count > 0 && failure.errnum) {
        return err_num(err, failure.errnum, "look for who is on trunks");
    }
    *ret = search.found;
    return 0;
}
