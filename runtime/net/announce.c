#include "runtime/net/announce.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

// The kernel fills the checksum in, and the source: the address itself.
static int send_advertisement(int fd, int index, const uint8_t mac[MAC_SIZE], const struct address *address) {
    struct {
        struct nd_neighbor_advert advert;
        struct nd_opt_hdr option;
        uint8_t mac[MAC_SIZE];
    } packet = {.advert = {.nd_na_hdr = {.icmp6_type = ND_NEIGHBOR_ADVERT}}, .option = {ND_OPT_TARGET_LINKADDR, 1}};
    struct sockaddr_in6 everybody = {.sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)index}, self = {.sin6_family = AF_INET6};
    int hops = 255; // others are not believed
    inet_pton(AF_INET6, "ff02::1", &everybody.sin6_addr);
    memcpy(&self.sin6_addr, address->bytes, 16);
    memcpy(&packet.advert.nd_na_target, address->bytes, 16);
    memcpy(packet.mac, mac, MAC_SIZE);
    packet.advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
        bind(fd, (const struct sockaddr *)&self, sizeof(self)) < 0) {
        return -1;
    }
    ssize_t sent = sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&everybody, sizeof(everybody));
    return sent == (ssize_t)sizeof(packet) ? 0 : -1;
}

static void announce_one(int index, const uint8_t mac[MAC_SIZE], const struct address *address) {
    AUTO_FD int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0 || send_advertisement(fd, index, mac, address) < 0) {
        char text[ADDRESS_TEXT_SIZE];
        log_debug("announce %s to the network: %s", address_format(address, text), strerror(errno));
    }
}

int announce_ipv6(int netns_fd, int index, const uint8_t mac[MAC_SIZE], const struct link_address *addresses, size_t count,
                  struct err *err) {
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0 || setns(netns_fd, CLONE_NEWNET) < 0) {
        return err_sys(err, "enter the container's network namespace");
    }
    for (size_t i = 0; i < count; i++) {
        if (addresses[i].address.family == AF_INET6) {
            announce_one(index, mac, &addresses[i].address);
        }
    }
    return setns(here, CLONE_NEWNET) < 0 ? err_sys(err, "come back from the container's network namespace") : 0;
}
