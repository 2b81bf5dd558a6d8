#include "runtime/net/routes.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/netlink.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { LEAST_PREFIX_4 = 8, LEAST_PREFIX_6 = 16 };

struct reading {
    struct buf routes;             // struct route[]
    uint32_t default_4, default_6; // their interfaces
    bool ended;
};

static void add_route(struct reading *reading, uint8_t family, unsigned prefix, const void *address, struct route route) {
    if ((family != AF_INET && family != AF_INET6) || prefix < (family == AF_INET ? LEAST_PREFIX_4 : LEAST_PREFIX_6)) {
        return;
    }
    route.subnet.base.family = family;
    unsigned bits = address_bits(&route.subnet.base);
    if (prefix > bits) {
        return;
    }
    route.subnet.prefix = (uint8_t)prefix;
    memcpy(route.subnet.base.bytes, address, bits / 8);
    for (unsigned bit = prefix; bit < bits; bit++) {
        route.subnet.base.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    }
    buf_add(&reading->routes, &route, sizeof(route));
}

static void take_route(struct reading *reading, const struct nlmsghdr *message) {
    const struct rtmsg *header = NLMSG_DATA(message);
    if (header->rtm_dst_len == 0 && header->rtm_table == RT_TABLE_MAIN && header->rtm_type == RTN_UNICAST) {
        uint32_t *index = header->rtm_family == AF_INET ? &reading->default_4 : &reading->default_6;
        *index = *index ? *index : netlink_attribute_u32(message, sizeof(*header), RTA_OIF, 0);
    }
    bool counts = header->rtm_type == RTN_UNICAST || header->rtm_type == RTN_LOCAL || header->rtm_type == RTN_BLACKHOLE ||
                  header->rtm_type == RTN_UNREACHABLE || header->rtm_type == RTN_PROHIBIT;
    const void *to = netlink_attribute(message, sizeof(*header), RTA_DST, header->rtm_family == AF_INET ? 4 : 16);
    if (counts && to && !(header->rtm_flags & RTM_F_CLONED)) {
        const struct route route = {.index = netlink_attribute_u32(message, sizeof(*header), RTA_OIF, 0)};
        add_route(reading, header->rtm_family, header->rtm_dst_len, to, route);
    }
}

// IFA_LOCAL is the host's own, where IFA_ADDRESS may be the other end's.
static void take_address(struct reading *reading, const struct nlmsghdr *message) {
    const struct ifaddrmsg *header = NLMSG_DATA(message);
    size_t size = header->ifa_family == AF_INET ? 4 : 16;
    const void *other = netlink_attribute(message, sizeof(*header), IFA_ADDRESS, size);
    const void *own = netlink_attribute(message, sizeof(*header), IFA_LOCAL, size);
    const struct route route = {.index = header->ifa_index, .is_address = true};
    if (own) {
        add_route(reading, header->ifa_family, header->ifa_prefixlen, own, route);
    }
    if (other) {
        add_route(reading, header->ifa_family, header->ifa_prefixlen, other, route);
    }
}

static int take(void *context, const struct nlmsghdr *message, struct err *err) {
    struct reading *reading = context;
    int answer = netlink_answer(message);
    if (message->nlmsg_type == RTM_NEWROUTE && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
        take_route(reading, message);
    } else if (message->nlmsg_type == RTM_NEWADDR && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg))) {
        take_address(reading, message);
    } else if (message->nlmsg_type == NLMSG_DONE) {
        reading->ended = true;
    } else if (answer > 0) {
        return err_num(err, answer, "list the host's routes and addresses");
    }
    return 0;
}

static int dump(int fd, uint16_t type, const void *header, size_t size, struct reading *reading, struct err *err) {
    AUTO_BUF struct buf batch = {0};
    netlink_begin(&batch, type, NLM_F_DUMP, 1, header, size);
    int result = netlink_send(fd, &batch, err);
    reading->ended = false;
    while (result == 0 && !reading->ended) {
        result = netlink_receive(fd, take, reading, err);
    }
    return result;
}

// Addresses first: where both are said, the address says more.
static int read_all(struct reading *reading, struct err *err) {
    const struct ifaddrmsg addresses = {.ifa_family = AF_UNSPEC};
    const struct rtmsg routes_4 = {.rtm_family = AF_INET}, routes_6 = {.rtm_family = AF_INET6};
    AUTO_FD int fd = netlink_open(err);
    return fd < 0 || dump(fd, RTM_GETADDR, &addresses, sizeof(addresses), reading, err) < 0 ||
                   dump(fd, RTM_GETROUTE, &routes_4, sizeof(routes_4), reading, err) < 0 ||
                   dump(fd, RTM_GETROUTE, &routes_6, sizeof(routes_6), reading, err) < 0
               ? -1
               : 0;
}

int routes_read(struct arena *arena, struct route **ret_routes, size_t *ret_count, struct err *err) {
    struct reading reading = {0};
    int result = read_all(&reading, err);
    if (result == 0) {
        *ret_count = reading.routes.size / sizeof(struct route);
        *ret_routes = arena_array(arena, *ret_count + 1, sizeof(struct route));
        if (*ret_count > 0) {
            memcpy(*ret_routes, reading.routes.data, reading.routes.size);
        }
    }
    buf_finish(&reading.routes);
    return result;
}

int routes_read_default(uint32_t *ret_index_4, uint32_t *ret_index_6, struct err *err) {
    const struct rtmsg routes_4 = {.rtm_family = AF_INET}, routes_6 = {.rtm_family = AF_INET6};
    struct reading reading = {0};
    AUTO_FD int fd = netlink_open(err);
    int result = fd < 0 || dump(fd, RTM_GETROUTE, &routes_4, sizeof(routes_4), &reading, err) < 0 ||
                         dump(fd, RTM_GETROUTE, &routes_6, sizeof(routes_6), &reading, err) < 0
                     ? -1
                     : 0;
    buf_finish(&reading.routes);
    *ret_index_4 = reading.default_4;
    *ret_index_6 = reading.default_6;
    return result;
}

// A datagram socket that is connected has sent nothing, and has the address that it would send from. Nobody has these two.
struct address routes_own_address(uint8_t family) {
    const struct sockaddr_in far_4 = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc6336401)};
    const struct sockaddr_in6 far_6 = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr.s6_addr = {0x20, [15] = 1}};
    bool four = family == AF_INET;
    struct sockaddr_in own_4 = {0};
    struct sockaddr_in6 own_6 = {0};
    socklen_t size = four ? sizeof(own_4) : sizeof(own_6);
    struct address address = {.family = family};
    AUTO_FD int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, four ? (const void *)&far_4 : (const void *)&far_6, size) < 0 ||
        getsockname(fd, four ? (void *)&own_4 : (void *)&own_6, &size) < 0) {
        return (struct address){0};
    }
    memcpy(address.bytes, four ? (const void *)&own_4.sin_addr : (const void *)&own_6.sin6_addr, address_bits(&address) / 8);
    return address;
}

const char *route_describe(const struct route *route, char text[ROUTE_TEXT_SIZE]) {
    char subnet[SUBNET_TEXT_SIZE], name[IF_NAMESIZE];
    bool named = route->index != 0 && if_indextoname(route->index, name);
    snprintf(text, ROUTE_TEXT_SIZE, "%s %s%s%s", route->is_address ? "network" : "route to", subnet_format(&route->subnet, subnet),
             named ? " of " : "", named ? name : "");
    return text;
}
