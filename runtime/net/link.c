#include "runtime/net/link.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

static void put_mac(const uint8_t tail[4], uint8_t ret_mac[MAC_SIZE]) {
    const uint8_t mac[MAC_SIZE] = {0x02, 0xcf, tail[0], tail[1], tail[2], tail[3]};
    memcpy(ret_mac, mac, MAC_SIZE);
}

static void put_sum(const void *bytes, size_t size, uint8_t ret_mac[MAC_SIZE]) {
    uint32_t sum = 2166136261; // FNV-1a
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * 16777619;
    }
    const uint8_t tail[] = {sum >> 24 & 0xff, sum >> 16 & 0xff, sum >> 8 & 0xff, sum & 0xff};
    put_mac(tail, ret_mac);
}

void link_mac_of(const struct address *address, uint8_t ret_mac[MAC_SIZE]) {
    if (address->family == AF_INET) {
        put_mac(address->bytes, ret_mac);
    } else {
        put_sum(address->bytes, sizeof(address->bytes), ret_mac);
    }
}

void link_mac_of_name(const char *name, uint8_t ret_mac[MAC_SIZE]) {
    put_sum(name, strlen(name), ret_mac);
}

static int hex_digit(char digit) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit ? strchr(digits, digit) : NULL;
    return found ? (int)(found - digits) % 16 : -1;
}

bool link_parse_mac(const char *text, uint8_t ret_mac[MAC_SIZE]) {
    uint8_t mac[MAC_SIZE];
    uint8_t some = 0;
    for (int i = 0; i < MAC_SIZE; i++, text += 3) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || text[2] != (i + 1 < MAC_SIZE ? ':' : '\0')) {
            return false;
        }
        mac[i] = (uint8_t)(high << 4 | low);
        some |= mac[i];
    }
    if (some == 0 || (mac[0] & 1)) {
        return false;
    }
    memcpy(ret_mac, mac, MAC_SIZE);
    return true;
}

char *link_format_mac(const uint8_t mac[MAC_SIZE], char text[MAC_TEXT_SIZE]) {
    snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return text;
}

struct link_address link_local_of(const uint8_t mac[MAC_SIZE]) {
    return (struct link_address){
        .address = {.family = AF_INET6,
                    .bytes = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}},
        .prefix = 64,
    };
}

struct find {
    int index;
    char *kind; // this and the next: NULL when not asked for
    uint8_t *mac;
    char *note;
};

static int take_link(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct find *find = context;
    const struct ifinfomsg *link = NLMSG_DATA(message);
    find->index = link->ifi_index;
    struct netlink_bytes attributes = netlink_attributes(message, sizeof(*link));
    const char *kind = netlink_find_string(netlink_find(attributes, IFLA_LINKINFO, 0), IFLA_INFO_KIND);
    const void *mac = netlink_find(attributes, IFLA_ADDRESS, MAC_SIZE).data;
    if (find->kind) {
        snprintf(find->kind, LINK_KIND_SIZE, "%s", kind ? kind : "");
    }
    if (find->mac && mac) {
        memcpy(find->mac, mac, MAC_SIZE);
    }
    const char *note = find->note ? netlink_find_string(attributes, IFLA_IFALIAS) : NULL;
    if (note) {
        snprintf(find->note, LINK_NOTE_SIZE, "%s", note);
    }
    return 0;
}

struct look {
    netlink_take *take;
    void *context;
};

static int take_whole(void *context, const struct nlmsghdr *message, struct err *err) {
    struct look *look = context;
    bool good = message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg));
    return good ? look->take(look->context, message, err) : 0;
}

int link_look(int fd, const char *name, netlink_take *take, void *context, struct err *err) {
    struct look look = {.take = take, .context = context};
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    netlink_begin(&batch, RTM_GETLINK, NLM_F_ACK, 1, &link, sizeof(link));
    netlink_add_string(&batch, IFLA_IFNAME, name);
    netlink_add_u32(&batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    struct netlink_failure failure = {0};
    if (netlink_exchange(fd, &batch, 1, take_whole, &look, &failure, err) < 0) {
        return -1;
    }
    return failure.errnum && failure.errnum != ENODEV ? err_num(err, failure.errnum, "look for network interface \"%s\"", name) : 0;
}

int link_find(int fd, const char *name, char ret_kind[LINK_KIND_SIZE], int *ret_index, uint8_t ret_mac[MAC_SIZE], struct err *err) {
    struct find find = {.kind = ret_kind, .mac = ret_mac};
    if (link_look(fd, name, take_link, &find, err) < 0) {
        return -1;
    }
    *ret_index = find.index;
    return 0;
}

int link_read_note(int fd, const char *name, char ret_note[LINK_NOTE_SIZE], struct err *err) {
    struct find find = {.note = ret_note};
    ret_note[0] = '\0';
    return link_look(fd, name, take_link, &find, err);
}

int link_remove(int fd, const char *name, const char *kind, struct err *err) {
    _Alignas(struct nlmsghdr) char room[256];
    AUTO_BUF struct buf batch = BUF_IN(room);
    char found_kind[LINK_KIND_SIZE] = "";
    int index = 0;
    if (link_find(fd, name, found_kind, &index, NULL, err) < 0) {
        return -1;
    }
    if (index == 0) {
        return 0;
    }
    if (strcmp(found_kind, kind) != 0) {
        return err_set(err, ERR_STATE, "network interface \"%s\" is no %s: it is somebody else's, and stays", name, kind);
    }
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    netlink_begin(&batch, RTM_DELLINK, NLM_F_ACK, 1, &link, sizeof(link));
    struct netlink_failure failure = {0};
    if (netlink_exchange(fd, &batch, 1, NULL, NULL, &failure, err) < 0) {
        return -1;
    }
    bool gone = failure.errnum == 0 || failure.errnum == ENODEV;
    return gone ? 0 : err_num(err, failure.errnum, "remove network interface \"%s\"", name);
}

static uint16_t ack(bool last) {
    return last ? NLM_F_ACK : 0;
}

void link_add_address(struct buf *batch, uint32_t number, int index, const struct link_address *address, bool last) {
    const struct ifaddrmsg header = {
        .ifa_family = address->address.family, .ifa_prefixlen = address->prefix, .ifa_index = (unsigned)index};
    size_t size = address_bits(&address->address) / 8;
    netlink_begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | ack(last), number, &header, sizeof(header));
    netlink_add(batch, IFA_LOCAL, address->address.bytes, size);
    netlink_add(batch, IFA_ADDRESS, address->address.bytes, size);
    if (address->address.family == AF_INET6) {
        // That nobody else has it is known: it can be used at once, where the kernel would ask around for a second.
        netlink_add_u32(batch, IFA_FLAGS, IFA_F_NODAD);
    } else if (address->prefix < 31) {
        uint8_t broadcast[4];
        for (unsigned i = 0; i < 4; i++) {
            unsigned bits = address->prefix > 8 * i ? address->prefix - 8 * i : 0;
            broadcast[i] = address->address.bytes[i] | (bits >= 8 ? 0 : 0xff >> bits);
        }
        netlink_add(batch, IFA_BROADCAST, broadcast, sizeof(broadcast));
    }
}

void link_add_up(struct buf *batch, uint32_t number, int index, const char *name, bool last) {
    const struct ifinfomsg up = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    netlink_begin(batch, RTM_NEWLINK, ack(last), number, &up, sizeof(up));
    if (index == 0) {
        netlink_add_string(batch, IFLA_IFNAME, name);
    }
}

void link_add_note(struct buf *batch, uint32_t number, const char *name, const char *note, bool last) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    netlink_begin(batch, RTM_NEWLINK, ack(last), number, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, name);
    netlink_add_string(batch, IFLA_IFALIAS, note);
}

void link_add_quiet(struct buf *batch, uint32_t number, const char *name, bool last) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    netlink_begin(batch, RTM_NEWLINK, ack(last), number, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, name);
    size_t families = netlink_nest(batch, IFLA_AF_SPEC);
    size_t inet6 = netlink_nest(batch, AF_INET6);
    netlink_add_u8(batch, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    netlink_nest_end(batch, inet6);
    netlink_nest_end(batch, families);
}

void link_begin_pair(struct buf *batch, uint32_t number, const char *name, int bridge, uint32_t mtu, struct link_pair *ret) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC}, other = {.ifi_family = AF_UNSPEC};
    netlink_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, number, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, name);
    netlink_add_u32(batch, IFLA_MASTER, (uint32_t)bridge);
    if (mtu) {
        netlink_add_u32(batch, IFLA_MTU, mtu);
    }
    ret->info = netlink_nest(batch, IFLA_LINKINFO);
    netlink_add_string(batch, IFLA_INFO_KIND, "veth");
    ret->data = netlink_nest(batch, IFLA_INFO_DATA);
    ret->other = netlink_nest(batch, VETH_INFO_PEER);
    netlink_append(batch, &other, sizeof(other)); // a message in itself, but for its first header
}

void link_end_pair(struct buf *batch, const struct link_pair *pair) {
    netlink_nest_end(batch, pair->other);
    netlink_nest_end(batch, pair->data);
    netlink_nest_end(batch, pair->info);
}

void link_add_port_mode(struct buf *batch, uint32_t number, const char *name) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    netlink_begin(batch, RTM_NEWLINK, 0, number, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, name);
    size_t info = netlink_nest(batch, IFLA_LINKINFO);
    netlink_add_string(batch, IFLA_INFO_SLAVE_KIND, "bridge");
    size_t data = netlink_nest(batch, IFLA_INFO_SLAVE_DATA);
    netlink_add_u8(batch, IFLA_BRPORT_MODE, 1);
    netlink_nest_end(batch, data);
    netlink_nest_end(batch, info);
}

void link_add_arp_notify(struct buf *batch, uint32_t number, const char *name) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    netlink_begin(batch, RTM_NEWLINK, 0, number, &link, sizeof(link));
    netlink_add_string(batch, IFLA_IFNAME, name);
    size_t families = netlink_nest(batch, IFLA_AF_SPEC);
    size_t inet = netlink_nest(batch, AF_INET);
    size_t settings = netlink_nest(batch, IFLA_INET_CONF);
    netlink_add_u32(batch, IPV4_DEVCONF_ARP_NOTIFY, 1);
    netlink_nest_end(batch, settings);
    netlink_nest_end(batch, inet);
    netlink_nest_end(batch, families);
}

void link_add_mac(struct buf *batch, uint32_t number, int index, const uint8_t mac[MAC_SIZE], bool last) {
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    netlink_begin(batch, RTM_NEWLINK, ack(last), number, &link, sizeof(link));
    netlink_add(batch, IFLA_ADDRESS, mac, MAC_SIZE);
}

int link_check_name(const char *name, struct err *err) {
    char quoted[QUOTE_SIZE];
    // The last two stand for all interfaces under /proc/sys/net.
    static const char *const others[] = {"", ".", "..", "all", "default"};
    bool good = strlen(name) < IFNAMSIZ;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        good = good && strcmp(name, others[i]) != 0;
    }
    for (const char *at = name; *at; at++) {
        good = good && *at > ' ' && *at < 0x7f && !strchr("/:%\"", *at);
    }
    return good ? 0
                : err_set(err, ERR_INPUT,
                          "network interface %s: expected a name of 1 to 15 characters, without spaces, \"/\", \":\" and \"%%\", "
                          "and not \"all\" or \"default\"",
                          quote_text(name, quoted));
}
