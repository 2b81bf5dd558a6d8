#include "runtime/net/announce.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

static int send_arp(int fd, int index, const uint8_t mac[MAC_SIZE], const struct address *address) {
    struct sockaddr_ll everybody = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = index, .sll_halen = MAC_SIZE};
    struct ether_arp packet = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                          .ar_pro = htons(ETH_P_IP),
                                          .ar_hln = MAC_SIZE,
                                          .ar_pln = 4,
                                          .ar_op = htons(ARPOP_REQUEST)}};
    memset(everybody.sll_addr, 0xff, MAC_SIZE);
    memcpy(packet.arp_sha, mac, MAC_SIZE);
    memcpy(packet.arp_spa, address->bytes, 4);
    memcpy(packet.arp_tpa, address->bytes, 4);
    ssize_t sent = sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&everybody, sizeof(everybody));
    return sent == (ssize_t)sizeof(packet) ? 0 : -1;
}

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
    bool old = address->family == AF_INET;
    AUTO_FD int fd =
        old ? socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0 || (old ? send_arp : send_advertisement)(fd, index, mac, address) < 0) {
        char text[ADDRESS_TEXT_SIZE];
        log_debug("announce %s to the network: %s", address_format(address, text), strerror(errno));
    }
}

int announce_addresses(int netns_fd, int index, const uint8_t mac[MAC_SIZE], const struct link_address *addresses, size_t count,
                       struct err *err) {
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0 || setns(netns_fd, CLONE_NEWNET) < 0) {
        return err_sys(err, "enter the container's network namespace");
    }
    for (size_t i = 0; i < count; i++) {
        announce_one(index, mac, &addresses[i].address);
    }
    return setns(here, CLONE_NEWNET) < 0 ? err_sys(err, "come back from the container's network namespace") : 0;
}
