#include "runtime/net/bridge.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/netlink.h"
#include "runtime/net/sysctl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <string.h>

enum { CREATE = 1, NOTE, QUIET, UP, LOCAL, ADDRESS }; // the requests' numbers

// The gateway's hardware address goes with its address.
static void choose_mac(const struct bridge_request *request, uint8_t ret_mac[MAC_SIZE]) {
    if (request->address_count > 0) {
        link_mac_of(&request->addresses[0].address, ret_mac);
    } else {
        link_mac_of_name(request->name, ret_mac);
    }
}

// The same request makes it and sets one right that is there. Snooping (IGMP, MLD) without a querier, as there is none here, keeps nothing
// from anybody, and costs work at each port whenever one comes or goes: with 1000 of them a millisecond.
static void add_create(struct buf *batch, const struct bridge_request *request) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    uint8_t mac[MAC_SIZE];
    choose_mac(request, mac);
    netlink_begin(batch, RTM_NEWLINK, NLM_F_CREATE, CREATE, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, request->name);
    netlink_add(batch, IFLA_ADDRESS, mac, sizeof(mac));
    if (request->mtu) {
        netlink_add_u32(batch, IFLA_MTU, request->mtu);
    }
    size_t info = netlink_nest(batch, IFLA_LINKINFO);
    netlink_add_string(batch, IFLA_INFO_KIND, "bridge");
    size_t data = netlink_nest(batch, IFLA_INFO_DATA);
    netlink_add_u32(batch, IFLA_BR_FORWARD_DELAY, 0);
    netlink_add_u32(batch, IFLA_BR_STP_STATE, 0);
    netlink_add_u8(batch, IFLA_BR_MCAST_SNOOPING, 0);
    netlink_nest_end(batch, data);
    netlink_nest_end(batch, info);
}

// Who passes packets on asks for neighbours by this address (RFC 4861, 7.2.2), and does not ask without.
static void add_local(struct buf *batch, const struct bridge_request *request, int index) {
    uint8_t mac[MAC_SIZE];
    choose_mac(request, mac);
    const struct link_address local = link_local_of(mac);
    link_add_address(batch, LOCAL, index, &local, false);
}

static int complain(const struct bridge_request *request, const struct netlink_failure *failure, struct err *err) {
    char text[ADDRESS_TEXT_SIZE];
    if (failure->errnum == EPERM) {
        return err_set(err, ERR_UNSUPPORTED, "make bridge \"%s\": only root can make networks on this host", request->name);
    }
    if (failure->errnum == EOPNOTSUPP && failure->number == CREATE) {
        return err_set(err, ERR_UNSUPPORTED, "make bridge \"%s\": this kernel has no bridges (CONFIG_BRIDGE)", request->name);
    }
    if (failure->number >= ADDRESS && failure->number < ADDRESS + request->address_count) {
        const struct address *address = &request->addresses[failure->number - ADDRESS].address;
        return err_num(err, failure->errnum, "give bridge \"%s\" the address %s", request->name, address_format(address, text));
    }
    return err_num(err, failure->errnum, "make bridge \"%s\"", request->name);
}

static int send_batch(int fd, const struct bridge_request *request, const struct buf *batch, uint32_t last, struct err *err) {
    // An interface without IPv6 (a host's, or one with packets too small for it) is quiet as it is.
    struct netlink_failure failure = {.forgiven_errnum = EAFNOSUPPORT, .forgiven_number = QUIET};
    if (netlink_exchange(fd, batch, last, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum ? complain(request, &failure, err) : 0;
}

struct found {
    const struct bridge_request *request; // NULL: it is only looked for
    int index;
    bool is_bridge, right;
};

static bool number_is(struct netlink_bytes run, uint16_t type, size_t size, uint32_t wanted) {
    uint32_t value = 0; // the small ones come first: little-endian, as is every machine we run on
    struct netlink_bytes content = netlink_find(run, type, size);
    memcpy(&value, content.data ? content.data : &wanted, size); // what this kernel does not have needs no setting
    return value == wanted;
}

// Whether add_create() and link_add_quiet() would change nothing. To ask the kernel for what is so already is not free: it tells
// everybody of a change, and looks at all routes of all ports.
static bool is_right(const struct bridge_request *request, struct netlink_bytes attributes) {
    uint8_t mac[MAC_SIZE];
    choose_mac(request, mac);
    const void *there = netlink_find(attributes, IFLA_ADDRESS, MAC_SIZE).data;
    struct netlink_bytes data = netlink_find(netlink_find(attributes, IFLA_LINKINFO, 0), IFLA_INFO_DATA, 0);
    struct netlink_bytes inet6 = netlink_find(netlink_find(attributes, IFLA_AF_SPEC, 0), AF_INET6, 0);
    return there && memcmp(there, mac, MAC_SIZE) == 0 && (!request->mtu || number_is(attributes, IFLA_MTU, 4, request->mtu)) &&
           number_is(data, IFLA_BR_FORWARD_DELAY, 4, 0) && number_is(data, IFLA_BR_STP_STATE, 4, 0) &&
           number_is(data, IFLA_BR_MCAST_SNOOPING, 1, 0) &&
           number_is(inet6, IFLA_INET6_ADDR_GEN_MODE, 1, IN6_ADDR_GEN_MODE_NONE);
}

static int take_bridge(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct found *found = context;
    const struct ifinfomsg *link = NLMSG_DATA(message);
    struct netlink_bytes attributes = netlink_attributes(message, sizeof(*link));
    const char *kind = netlink_find_string(netlink_find(attributes, IFLA_LINKINFO, 0), IFLA_INFO_KIND);
    found->index = link->ifi_index;
    found->is_bridge = kind && strcmp(kind, "bridge") == 0;
    found->right = found->is_bridge && found->request && is_right(found->request, attributes);
    return 0;
}

static int find_bridge(int fd, const char *name, struct found *ret, struct err *err) {
    if (link_look(fd, name, take_bridge, ret, err) < 0) {
        return -1;
    }
    if (ret->index != 0 && !ret->is_bridge) {
        return err_set(err, ERR_EXISTS, "network interface \"%s\" is there and no bridge; give the network another name", name);
    }
    return 0;
}

// What it is made with, as far as that is not so.
static int make_or_mend(int fd, const struct bridge_request *request, struct found *found, struct err *err) {
    _Alignas(struct nlmsghdr) char room[1024];
    AUTO_BUF struct buf batch = BUF_IN(room);
    if (found->right) {
        return 0;
    }
    add_create(&batch, request);
    if (found->index == 0 && request->note) {
        link_add_note(&batch, NOTE, request->name, request->note, false);
    }
    link_add_quiet(&batch, QUIET, request->name, true);
    return send_batch(fd, request, &batch, QUIET, err) < 0 || (found->index == 0 && find_bridge(fd, request->name, found, err) < 0)
               ? -1
               : 0;
}

int bridge_ensure(const struct bridge_request *request, int *ret_index, bool *ret_made, struct err *err) {
    _Alignas(struct nlmsghdr) char room[1024];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int fd = -1;
    struct found found = {.request = request};
    bool needs_local = false;
    if (link_check_name(request->name, err) < 0 || (fd = netlink_open(err)) < 0 ||
        find_bridge(fd, request->name, &found, err) < 0) {
        return -1;
    }
    bool made = found.index == 0;
    if (make_or_mend(fd, request, &found, err) < 0 || sysctl_ignore_advertisements(-1, request->name, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < request->address_count; i++) {
        link_add_address(&batch, (uint32_t)(ADDRESS + i), found.index, &request->addresses[i], false);
        needs_local = needs_local || request->addresses[i].address.family == AF_INET6;
    }
    if (needs_local) {
        add_local(&batch, request, found.index);
    }
    link_add_up(&batch, UP, found.index, NULL, true);
    if (send_batch(fd, request, &batch, UP, err) < 0) {
        return -1;
    }
    *ret_index = found.index;
    if (ret_made) {
        *ret_made = made;
    }
    return 0;
}

int bridge_find(const char *name, int *ret_index, struct err *err) {
    AUTO_FD int fd = netlink_open(err);
    struct found found = {0};
    if (fd < 0 || find_bridge(fd, name, &found, err) < 0) {
        return -1;
    }
    *ret_index = found.index;
    return 0;
}

static int count_port(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    size_t *count = context;
    *count += message->nlmsg_type == RTM_NEWLINK;
    return 0;
}

int bridge_count_ports(const char *name, size_t *ret, struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
    AUTO_FD int fd = netlink_open(err);
    AUTO_BUF struct buf batch = BUF_IN(room);
    struct found found = {0};
    struct netlink_failure failure = {0};
    *ret = 0;
    if (fd < 0 || find_bridge(fd, name, &found, err) < 0) {
        return -1;
    }
    if (found.index == 0) {
        return 0;
    }
    netlink_begin(&batch, RTM_GETLINK, NLM_F_DUMP, 1, &any, sizeof(any));
    netlink_add_u32(&batch, IFLA_MASTER, (uint32_t)found.index);
    netlink_add_u32(&batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    if (netlink_exchange(fd, &batch, 1, count_port, ret, &failure, err) < 0) {
        return -1;
    }
    // A change meanwhile makes the number one that was not at any moment, no more.
    return failure.errnum && failure.errnum != EINTR ? err_num(err, failure.errnum, "count the ports of bridge \"%s\"", name) : 0;
}

int bridge_remove(const char *name, const char *note, struct err *err) {
    char there[LINK_NOTE_SIZE];
    AUTO_FD int fd = netlink_open(err);
    if (fd < 0 || (note && link_read_note(fd, name, there, err) < 0)) {
        return -1;
    }
    return note && strcmp(note, there) != 0 ? 0 : link_remove(fd, name, "bridge", err);
}
