#include "runtime/net/endpoint.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/kernel/procfs.h"
#include "runtime/kernel/netlink.h"
#include "runtime/net/announce.h"
#include "runtime/net/sysctl.h"
#include "runtime/net/trunk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <sched.h>
#include <string.h>

enum { LOOPBACK_INDEX = 1 }; // of every namespace: it is made with it

// --- the pair ---

enum { CREATE = 1, PORT_MODE, HOST_QUIET, HOST_UP, SETTLE };

// How the container's end is born: the attributes are the same whether it is the request's subject or a veth's peer.
static void add_container_end(struct buf *batch, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE],
                              int netns_fd) {
    static const uint8_t none[MAC_SIZE];
    netlink_add_string(batch, IFLA_IFNAME, request->name);
    netlink_add_u32(batch, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    if (memcmp(mac, none, MAC_SIZE) != 0) {
        netlink_add(batch, IFLA_ADDRESS, mac, MAC_SIZE);
    }
    if (request->mtu) {
        netlink_add_u32(batch, IFLA_MTU, request->mtu);
    }
}

static void add_pair(struct buf *batch, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE], int parent,
                     int netns_fd) {
    struct link_pair pair;
    link_begin_pair(batch, CREATE, request->host_name, parent, request->mtu, &pair);
    add_container_end(batch, request, mac, netns_fd);
    link_end_pair(batch, &pair);
}

static void add_macvlan(struct buf *batch, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE], int parent,
                        int netns_fd) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    netlink_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, CREATE, &link, sizeof(link));
    add_container_end(batch, request, mac, netns_fd);
    netlink_add_u32(batch, IFLA_LINK, (uint32_t)parent);
    size_t info = netlink_nest(batch, IFLA_LINKINFO);
    netlink_add_string(batch, IFLA_INFO_KIND, "macvlan");
    size_t data = netlink_nest(batch, IFLA_INFO_DATA);
    netlink_add_u32(batch, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    netlink_nest_end(batch, data);
    netlink_nest_end(batch, info);
}

static int complain(const struct endpoint_request *request, int errnum, struct err *err) {
    if (errnum == EPERM) {
        return err_set(err, ERR_UNSUPPORTED,
                       "make network interface \"%s\": only root can join containers to networks of this host", request->name);
    }
    if (errnum == EOPNOTSUPP) {
        return err_set(err, ERR_UNSUPPORTED, "make network interface \"%s\": this kernel has no %s interfaces", request->name,
                       request->kind == ENDPOINT_MACVLAN ? "macvlan" : "veth");
    }
    if (errnum == EEXIST) {
        return err_set(err, ERR_EXISTS, "make network interface \"%s\": the container has one of that name already", request->name);
    }
    if (errnum == EBUSY && request->kind == ENDPOINT_MACVLAN) {
        return err_set(err, ERR_STATE,
                       "make network interface \"%s\": \"%s\" is part of a bridge or used otherwise, so no macvlan can be on it",
                       request->name, request->parent);
    }
    if (errnum == EXFULL) {
        return err_set(err, ERR_STATE,
                       "make network interface \"%s\": bridge \"%s\" has 1023 ports in use, all that Linux gives it; use another network",
                       request->name, request->parent);
    }
    return err_num(err, errnum, "make network interface \"%s\" on \"%s\"", request->name, request->parent);
}

static int try_link(int fd, const struct buf *batch, uint32_t last, int *ret_errnum, struct err *err) {
    // An interface without IPv6 (a host's, or one with packets too small for it) is quiet as it is.
    struct netlink_failure failure = {.forgiven_errnum = EAFNOSUPPORT, .forgiven_number = HOST_QUIET};
    if (netlink_exchange(fd, batch, last, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    *ret_errnum = failure.errnum;
    return 0;
}

// The bridge takes no entry that ages for a port that passes nothing on yet, as one does that was just made; the other kind lasts as
// long as the port.
static void add_settled(struct buf *batch, int port_index, bool new_port, const uint8_t mac[MAC_SIZE]) {
    const struct ndmsg entry = {.ndm_family = AF_BRIDGE,
                                .ndm_ifindex = port_index,
                                .ndm_state = new_port ? NUD_NOARP : NUD_REACHABLE,
                                .ndm_flags = NTF_MASTER};
    netlink_begin(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, SETTLE, &entry, sizeof(entry));
    netlink_add(batch, NDA_LLADDR, mac, MAC_SIZE);
}

// That it fails keeps nobody from the network: what the container sends teaches the bridge, too.
static void settle(int fd, const struct endpoint_request *request, int port_index, bool new_port, const uint8_t mac[MAC_SIZE]) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    struct netlink_failure failure = {0};
    struct err err;
    add_settled(&batch, port_index, new_port, mac);
    if (netlink_exchange(fd, &batch, SETTLE, NULL, NULL, &failure, &err) < 0 ||
        (failure.errnum && err_num(&err, failure.errnum, "enter a hardware address") < 0)) {
        log_info("bridge \"%s\" is not told where network interface \"%s\" is: %s", request->parent, request->name, err.text);
    }
}

// The host's end of a container that ended a moment ago may still be there, since the kernel clears up behind it, or of one whose
// end nobody saw; it has this name for us, so it goes.
static int make_pair(int fd, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE], int parent, int netns_fd,
                     struct err *err) {
    _Alignas(struct nlmsghdr) char room[1024];
    AUTO_BUF struct buf batch = BUF_IN(room);
    int errnum = 0, host_end = 0;
    add_pair(&batch, request, mac, parent, netns_fd);
    link_add_port_mode(&batch, PORT_MODE, request->host_name);
    link_add_quiet(&batch, HOST_QUIET, request->host_name, false); // a bridge's port needs no address
    link_add_up(&batch, HOST_UP, 0, request->host_name, true);
    if (try_link(fd, &batch, HOST_UP, &errnum, err) < 0 ||
        (errnum == EEXIST &&
         (link_remove(fd, request->host_name, "veth", err) < 0 || try_link(fd, &batch, HOST_UP, &errnum, err) < 0))) {
        return -1;
    }
    if (errnum) {
        return complain(request, errnum, err);
    }
    struct err gone;
    if (request->settle && link_find(fd, request->host_name, NULL, &host_end, NULL, &gone) == 0) {
        settle(fd, request, host_end, true, mac);
    }
    return 0;
}

static int make_macvlan(int fd, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE], int parent, int netns_fd,
                        int *ret_errnum, struct err *err) {
    _Alignas(struct nlmsghdr) char room[1024];
    AUTO_BUF struct buf batch = BUF_IN(room);
    add_macvlan(&batch, request, mac, parent, netns_fd);
    return try_link(fd, &batch, CREATE, ret_errnum, err);
}

// 1: it is there; 0: this kernel has no macvlans.
static int make_on_trunk(int fd, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE], int netns_fd, struct err *err) {
    const struct trunk_request wish = {.bridge = request->parent, .name = request->trunk, .port = request->trunk_port, .mtu = request->mtu};
    struct trunk trunk;
    int errnum = 0;
    if (trunk_ensure(fd, &wish, &trunk, err) < 0 || make_macvlan(fd, request, mac, trunk.index, netns_fd, &errnum, err) < 0) {
        return -1;
    }
    if (errnum == EOPNOTSUPP) {
        log_debug("bridge \"%s\" has more ports than is good for it: this kernel has no macvlans", request->parent);
        return 0;
    }
    if (errnum) {
        return complain(request, errnum, err);
    }
    settle(fd, request, trunk.port_index, trunk.made, mac);
    return 1;
}

static int make_link(int fd, const struct endpoint_request *request, const uint8_t mac[MAC_SIZE], int netns_fd, bool *ret_on_trunk,
                     struct err *err) {
    int parent = 0, errnum = 0;
    if (request->kind == ENDPOINT_BRIDGED && request->trunk) {
        int made = make_on_trunk(fd, request, mac, netns_fd, err);
        *ret_on_trunk = made > 0;
        if (made != 0) {
            return made < 0 ? -1 : 0;
        }
    }
    if (link_find(fd, request->parent, NULL, &parent, NULL, err) < 0) {
        return -1;
    }
    if (parent == 0) {
        return err_set(err, ERR_NOT_FOUND, "make network interface \"%s\": this host has no interface \"%s\"", request->name,
                       request->parent);
    }
    if (request->kind == ENDPOINT_BRIDGED) {
        return make_pair(fd, request, mac, parent, netns_fd, err);
    }
    if (make_macvlan(fd, request, mac, parent, netns_fd, &errnum, err) < 0) {
        return -1;
    }
    return errnum ? complain(request, errnum, err) : 0;
}

// --- within ---

enum { LOOPBACK = 1, QUIET, UP, LAST_OF_FIXED };

static void add_route(struct buf *batch, uint32_t number, int index, const struct address *gateway, bool last) {
    const struct rtmsg route = {.rtm_family = gateway->family,
                                .rtm_table = RT_TABLE_MAIN,
                                .rtm_protocol = RTPROT_STATIC,
                                .rtm_scope = RT_SCOPE_UNIVERSE,
                                .rtm_type = RTN_UNICAST};
    netlink_begin(batch, RTM_NEWROUTE, (uint16_t)(NLM_F_CREATE | NLM_F_REPLACE | (last ? NLM_F_ACK : 0)), number, &route, sizeof(route));
    netlink_add(batch, RTA_GATEWAY, gateway->bytes, address_bits(gateway) / 8);
    netlink_add_u32(batch, RTA_OIF, (uint32_t)index);
}

static bool has_ipv6(const struct endpoint_request *request) {
    for (size_t i = 0; i < request->address_count; i++) {
        if (request->addresses[i].address.family == AF_INET6) {
            return true;
        }
    }
    return false;
}

// In this order: no IPv6 address of the kernel's making, so the link-local one is ours too, and usable at once; then up; the routes
// need what is up, and the loopback interface is the last, asks for the answer.
static void add_configuration(struct buf *batch, const struct endpoint_request *request, const struct endpoint *endpoint) {
    uint32_t number = LAST_OF_FIXED;
    link_add_quiet(batch, QUIET, request->name, false);
    for (size_t i = 0; i < request->address_count; i++) {
        link_add_address(batch, number++, endpoint->index, &request->addresses[i], false);
    }
    if (has_ipv6(request)) {
        const struct link_address local = link_local_of(endpoint->mac);
        link_add_address(batch, number++, endpoint->index, &local, false);
    }
    link_add_up(batch, UP, endpoint->index, NULL, false);
    for (size_t i = 0; i < request->gateway_count; i++) {
        add_route(batch, number++, endpoint->index, &request->gateways[i], false);
    }
    link_add_up(batch, LOOPBACK, LOOPBACK_INDEX, NULL, true);
}

static int complain_within(const struct endpoint_request *request, const struct netlink_failure *failure, struct err *err) {
    char text[ADDRESS_TEXT_SIZE];
    size_t number = failure->number - LAST_OF_FIXED; // huge for the fixed ones
    size_t routes_at = request->address_count + has_ipv6(request);
    if (failure->number >= LAST_OF_FIXED && number < request->address_count) {
        return err_num(err, failure->errnum, "give network interface \"%s\" the address %s", request->name,
                       address_format(&request->addresses[number].address, text));
    }
    if (failure->number >= LAST_OF_FIXED && number >= routes_at && number < routes_at + request->gateway_count) {
        const char *gateway = address_format(&request->gateways[number - routes_at], text);
        return failure->errnum == ENETUNREACH || failure->errnum == EHOSTUNREACH || failure->errnum == EINVAL
                   ? err_set(err, ERR_INPUT, "network interface \"%s\": the gateway %s is in none of its subnets", request->name,
                             gateway)
                   : err_num(err, failure->errnum, "network interface \"%s\": set the default route by %s", request->name, gateway);
    }
    return err_num(err, failure->errnum, "set network interface \"%s\" up", failure->number == LOOPBACK ? "lo" : request->name);
}

static int find_within(int there, const struct endpoint_request *request, struct endpoint *endpoint, struct err *err) {
    if (link_find(there, request->name, NULL, &endpoint->index, endpoint->mac, err) < 0) {
        return -1;
    }
    return endpoint->index > 0 ? 0
                               : err_set(err, ERR_STATE, "network interface \"%s\" was gone as soon as it was made", request->name);
}

static int set_within(int proc_fd, const struct endpoint_request *request, struct err *err) {
    return has_ipv6(request) ? sysctl_ignore_advertisements(proc_fd, request->name, err)
                             : sysctl_disable_ipv6(proc_fd, request->name, err);
}

// A socket of the container's namespace. What must be set by the files of that namespace is set in passing.
static int open_within(int netns_fd, const struct endpoint_request *request, struct err *err) {
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0) {
        return err_sys(err, "open the network namespace");
    }
    // Beside a macvlan is a network that is not ours, and may have its routers.
    bool to_set = request->kind == ENDPOINT_BRIDGED;
    AUTO_FD int proc = to_set ? procfs_open(err) : -1;
    if (to_set && proc < 0) {
        return -1;
    }
    if (setns(netns_fd, CLONE_NEWNET) < 0) {
        return err_sys(err, "enter the container's network namespace");
    }
    AUTO_FD int fd = netlink_open(err);
    bool failed = fd < 0 || (to_set && set_within(proc, request, err) < 0);
    if (setns(here, CLONE_NEWNET) < 0) {
        return err_sys(err, "come back from the container's network namespace");
    }
    return failed ? -1 : fd_take(&fd);
}

static int configure(int netns_fd, const struct endpoint_request *request, struct endpoint *endpoint, struct err *err) {
    _Alignas(struct nlmsghdr) char room[2048];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int there = open_within(netns_fd, request, err);
    if (there < 0 || find_within(there, request, endpoint, err) < 0) {
        return -1;
    }
    add_configuration(&batch, request, endpoint);
    struct netlink_failure failure = {.forgiven_errnum = EAFNOSUPPORT, .forgiven_number = QUIET};
    if (netlink_exchange(there, &batch, LOOPBACK, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum ? complain_within(request, &failure, err) : 0;
}

static void choose_mac(const struct endpoint_request *request, uint8_t ret_mac[MAC_SIZE]) {
    static const uint8_t none[MAC_SIZE];
    memcpy(ret_mac, request->mac, MAC_SIZE);
    if (memcmp(ret_mac, none, MAC_SIZE) == 0 && request->address_count > 0) {
        link_mac_of(&request->addresses[0].address, ret_mac);
    }
}

// --- telling the neighbours ---

// Whoever takes an IPv4 address over takes its hardware address with it, where it follows from it; so nobody must be told, and a bridge
// with a thousand containers need not carry word to all of them.
static bool is_news(const struct endpoint_request *request, const uint8_t mac[MAC_SIZE]) {
    uint8_t usual[MAC_SIZE];
    if (!request->announce || request->address_count == 0) {
        return false;
    }
    link_mac_of(&request->addresses[0].address, usual);
    return has_ipv6(request) || memcmp(usual, mac, MAC_SIZE) != 0;
}

// Nothing is passed on before both ends have seen that they are connected, which the kernel does behind our back; unless somebody asks for
// them (Linux 6.8).
static int announce(int here, const struct endpoint_request *request, int netns_fd, const struct endpoint *endpoint, struct err *err) {
    enum { NOTIFY = 1, ADDRESS };
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    struct netlink_failure failure = {0};
    int ignored;
    AUTO_FD int there = netlink_open_in(netns_fd, NETLINK_ROUTE, err);
    if (there < 0 || link_find(there, request->name, NULL, &ignored, NULL, err) < 0 ||
        (request->host_name && !endpoint->on_trunk && link_find(here, request->host_name, NULL, &ignored, NULL, err) < 0)) {
        return -1;
    }
    link_add_arp_notify(&batch, NOTIFY, request->name);
    link_add_mac(&batch, ADDRESS, endpoint->index, endpoint->mac, true);
    if (netlink_exchange(there, &batch, ADDRESS, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    return has_ipv6(request)
               ? announce_ipv6(netns_fd, endpoint->index, endpoint->mac, request->addresses, request->address_count, err)
               : 0;
}

// The other end goes with it. A macvlan has its only end within.
static void unmake_link(int here, const struct endpoint_request *request, int netns_fd, bool on_trunk) {
    struct err err;
    bool is_macvlan = request->kind == ENDPOINT_MACVLAN || on_trunk;
    AUTO_FD int there = is_macvlan ? netlink_open_in(netns_fd, NETLINK_ROUTE, &err) : -1;
    if ((is_macvlan && there < 0) ||
        link_remove(is_macvlan ? there : here, is_macvlan ? request->name : request->host_name, is_macvlan ? "macvlan" : "veth", &err) < 0) {
        log_warn("%s", err.text);
    }
}

static int create(const struct endpoint_request *request, int netns_fd, struct endpoint *ret, struct err *err) {
    struct endpoint endpoint = {0};
    uint8_t mac[MAC_SIZE];
    if (link_check_name(request->name, err) < 0 ||
        (request->kind == ENDPOINT_BRIDGED && link_check_name(request->host_name, err) < 0)) {
        return -1;
    }
    AUTO_FD int here = netlink_open(err);
    choose_mac(request, mac);
    if (here < 0 || make_link(here, request, mac, netns_fd, &endpoint.on_trunk, err) < 0) {
        return -1;
    }
    if (configure(netns_fd, request, &endpoint, err) < 0 ||
        (is_news(request, endpoint.mac) && announce(here, request, netns_fd, &endpoint, err) < 0)) {
        unmake_link(here, request, netns_fd, endpoint.on_trunk);
        return -1;
    }
    *ret = endpoint;
    return 0;
}

// A trunk takes each hardware address once, and the kernel clears up late behind a container that has ended: who is started anew with the
// address that he had may find it taken, by himself.
int endpoint_create(const struct endpoint_request *request, int netns_fd, struct endpoint *ret, struct err *err) {
    struct endpoint_request own = *request;
    int result = create(request, netns_fd, ret, err);
    if (result == 0 || !request->trunk || (err->errnum != EADDRINUSE && err->errnum != EBUSY)) {
        return result;
    }
    own.trunk = NULL;
    own.settle = true;
    return create(&own, netns_fd, ret, err);
}

int endpoint_loopback(int netns_fd, struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int there = netlink_open_in(netns_fd, NETLINK_ROUTE, err);
    struct netlink_failure failure = {0};
    if (there < 0) {
        return -1;
    }
    link_add_up(&batch, LOOPBACK, LOOPBACK_INDEX, NULL, true);
    if (netlink_exchange(there, &batch, LOOPBACK, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum ? err_num(err, failure.errnum, "set network interface \"lo\" up") : 0;
}

int endpoint_remove(const char *host_name, struct err *err) {
    AUTO_FD int fd = netlink_open(err);
    return fd < 0 ? -1 : link_remove(fd, host_name, "veth", err);
}

int endpoint_route(int netns_fd, int index, const struct address *gateways, size_t count, struct err *err) {
    _Alignas(struct nlmsghdr) char room[512];
    char text[ADDRESS_TEXT_SIZE];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int there = netlink_open_in(netns_fd, NETLINK_ROUTE, err);
    struct netlink_failure failure = {0};
    if (there < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        add_route(&batch, (uint32_t)i + 1, index, &gateways[i], i + 1 == count);
    }
    if (netlink_exchange(there, &batch, (uint32_t)count, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum ? err_num(err, failure.errnum, "set the default route by %s", address_format(&gateways[failure.number - 1], text))
                          : 0;
}

int endpoint_is_within(int netns_fd, int index, bool *ret_there, struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int there = netlink_open_in(netns_fd, NETLINK_ROUTE, err);
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    struct netlink_failure failure = {0};
    if (there < 0) {
        return -1;
    }
    netlink_begin(&batch, RTM_GETLINK, NLM_F_ACK, 1, &link, sizeof(link));
    if (netlink_exchange(there, &batch, 1, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    *ret_there = failure.errnum != ENODEV;
    return failure.errnum && failure.errnum != ENODEV ? err_num(err, failure.errnum, "look for the container's network interface %d", index)
                                                      : 0;
}

int endpoint_strip(int netns_fd, int index, const struct link_address *addresses, size_t count, struct err *err) {
    AUTO_FD int there = netlink_open_in(netns_fd, NETLINK_ROUTE, err);
    for (size_t i = 0; i < count && there >= 0; i++) {
        _Alignas(struct nlmsghdr) char room[256];
        AUTO_BUF struct buf batch = BUF_IN(room);
        const struct address *address = &addresses[i].address;
        const struct ifaddrmsg header = {
            .ifa_family = address->family, .ifa_prefixlen = addresses[i].prefix, .ifa_index = (unsigned)index};
        struct netlink_failure failure = {0};
        netlink_begin(&batch, RTM_DELADDR, NLM_F_ACK, 1, &header, sizeof(header));
        netlink_add(&batch, IFA_LOCAL, address->bytes, address_bits(address) / 8);
        if (netlink_exchange(there, &batch, 1, NULL, NULL, &failure, err) < 0) {
            return -1;
        }
    }
    return there < 0 ? -1 : 0;
}

int endpoint_remove_within(int netns_fd, int index, struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int there = netlink_open_in(netns_fd, NETLINK_ROUTE, err);
    struct netlink_failure failure = {0};
    if (there < 0) {
        return -1;
    }
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    netlink_begin(&batch, RTM_DELLINK, NLM_F_ACK, 1, &link, sizeof(link));
    if (netlink_exchange(there, &batch, 1, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    bool gone = failure.errnum == 0 || failure.errnum == ENODEV;
    return gone ? 0 : err_num(err, failure.errnum, "remove the container's network interface %d", index);
}

int endpoint_rejoin(const char *host_name, const char *bridge, bool *ret_there, struct err *err) {
    _Alignas(struct nlmsghdr) char room[512];
    AUTO_BUF struct buf batch = BUF_IN(room);
    AUTO_FD int fd = netlink_open(err);
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    struct netlink_failure failure = {0};
    int parent = 0, index = 0;
    if (fd < 0 || link_find(fd, bridge, NULL, &parent, NULL, err) < 0 || link_find(fd, host_name, NULL, &index, NULL, err) < 0) {
        return -1;
    }
    *ret_there = index != 0;
    if (index == 0 || parent == 0) {
        return 0;
    }
    netlink_begin(&batch, RTM_NEWLINK, 0, CREATE, &link, sizeof(link));
    netlink_add_string(&batch, IFLA_IFNAME, host_name);
    netlink_add_u32(&batch, IFLA_MASTER, (uint32_t)parent);
    link_add_port_mode(&batch, PORT_MODE, host_name);
    link_add_up(&batch, HOST_UP, 0, host_name, true);
    if (netlink_exchange(fd, &batch, HOST_UP, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    *ret_there = failure.errnum != ENODEV;
    return failure.errnum && failure.errnum != ENODEV
               ? err_num(err, failure.errnum, "put network interface \"%s\" into bridge \"%s\"", host_name, bridge)
               : 0;
}
