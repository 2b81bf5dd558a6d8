#include "runtime/kernel/netdev.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef IFLA_NEW_IFINDEX
#define IFLA_NEW_IFINDEX 49
#endif

// Of an address, what was asked for when it was added; the kernel works the others out anew.
enum { KEPT_FLAGS = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN };

struct netdev_moved {
    const char *name, *new_name;
    int index;       // here; 0: not found
    int new_index;   // there; 0: not there
    bool up;         // it was, here
    // Batches of RTM_NEWADDR, whose indices are to be filled in.
    struct buf addresses_there, addresses_here;
};

void netdev_move_finish(struct netdev_move *move) {
    for (size_t i = 0; i < move->count; i++) {
        buf_finish(&move->devices[i].addresses_there);
        buf_finish(&move->devices[i].addresses_here);
    }
    free(move->devices);
    fd_close(&move->here);
    fd_close(&move->there);
    fd_close(&move->here_ns);
    *move = (struct netdev_move)NETDEV_MOVE_NONE;
}

// --- what there is ---

// Requests bear the device's place in the list as their number; the dump has one of its own.
enum { DUMP_NUMBER = 0x10000 };

struct look {
    struct netdev_move *move;
    size_t awaited; // answers that are still to come, the dump's end among them
};

static struct netdev_moved *by_number(struct netdev_move *move, uint32_t number) {
    return number < move->count ? &move->devices[number] : NULL;
}

static struct netdev_moved *by_index(struct netdev_move *move, int index) {
    for (size_t i = 0; i < move->count; i++) {
        if (index > 0 && move->devices[i].index == index) {
            return &move->devices[i];
        }
    }
    return NULL;
}

static void copy_attribute(struct buf *batch, const struct nlmsghdr *message, uint16_t type, size_t size) {
    const void *data = netlink_attribute(message, sizeof(struct ifaddrmsg), type, size);
    if (data) {
        netlink_add(batch, type, data, size);
    }
}

static void copy_address(struct buf *batch, const struct nlmsghdr *message, uint32_t flags) {
    struct ifaddrmsg address;
    memcpy(&address, NLMSG_DATA(message), sizeof(address));
    size_t size = address.ifa_family == AF_INET6 ? 16 : 4;
    address.ifa_flags = 0;
    address.ifa_index = 0;
    netlink_begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, 0, &address, sizeof(address));
    copy_attribute(batch, message, IFA_LOCAL, size);
    copy_attribute(batch, message, IFA_ADDRESS, size);
    copy_attribute(batch, message, IFA_BROADCAST, size);
    copy_attribute(batch, message, IFA_RT_PRIORITY, sizeof(uint32_t));
    netlink_add_u32(batch, IFA_FLAGS, flags & KEPT_FLAGS);
}

static void take_address(struct netdev_move *move, const struct nlmsghdr *message) {
    const struct ifaddrmsg *address = NLMSG_DATA(message);
    struct netdev_moved *device = by_index(move, (int)address->ifa_index);
    uint32_t flags = netlink_attribute_u32(message, sizeof(*address), IFA_FLAGS, address->ifa_flags);
    if (!device || !(flags & IFA_F_PERMANENT) || address->ifa_scope != RT_SCOPE_UNIVERSE) {
        return;
    }
    copy_address(&device->addresses_there, message, flags);
    copy_address(&device->addresses_here, message, flags);
    // A label begins with the interface's name, so it holds only while that stays.
    const char *label = netlink_attribute(message, sizeof(*address), IFA_LABEL, 1);
    if (label && strcmp(device->name, device->new_name) == 0) {
        netlink_add_string(&device->addresses_there, IFA_LABEL, label);
    }
    if (label) {
        netlink_add_string(&device->addresses_here, IFA_LABEL, label);
    }
}

static int take_look(void *context, const struct nlmsghdr *message, struct err *err) {
    struct look *look = context;
    struct netdev_moved *device = by_number(look->move, message->nlmsg_seq);
    int answer = netlink_answer(message);
    if (message->nlmsg_type == RTM_NEWLINK && device && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg))) {
        const struct ifinfomsg *link = NLMSG_DATA(message);
        device->index = link->ifi_index;
        device->up = link->ifi_flags & IFF_UP;
        look->awaited--;
    } else if (message->nlmsg_type == RTM_NEWADDR && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg))) {
        take_address(look->move, message);
    } else if (message->nlmsg_type == NLMSG_DONE && message->nlmsg_seq == DUMP_NUMBER) {
        look->awaited--;
    } else if (answer > 0 && device) {
        return err_num(err, answer, "network device \"%s\"", device->name);
    } else if (answer > 0) {
        return err_num(err, answer, "list the addresses of network devices");
    }
    return 0;
}

// The dump comes last: by then all indices are known.
static int look_for_all(struct netdev_move *move, struct err *err) {
    AUTO_BUF struct buf batch = {0};
    const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    const struct ifaddrmsg address = {.ifa_family = AF_UNSPEC};
    for (size_t i = 0; i < move->count; i++) {
        netlink_begin(&batch, RTM_GETLINK, 0, (uint32_t)i, &link, sizeof(link));
        netlink_add_string(&batch, IFLA_IFNAME, move->devices[i].name);
    }
    netlink_begin(&batch, RTM_GETADDR, NLM_F_DUMP, DUMP_NUMBER, &address, sizeof(address));
    struct look look = {.move = move, .awaited = move->count + 1};
    int result = netlink_send(move->here, &batch, err);
    while (result == 0 && look.awaited > 0) {
        result = netlink_receive(move->here, take_look, &look, err);
    }
    return result;
}

// --- over ---

// How many answers are awaited to requests, which bear the device's place; the first error is the batch's.
struct settle {
    struct netdev_move *move;
    size_t awaited;
    int first_errno;
    size_t first_device;
};

static int take_settled(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct settle *settle = context;
    int answer = netlink_answer(message);
    if (answer >= 0) {
        settle->awaited -= settle->awaited > 0;
        if (answer > 0 && settle->first_errno == 0) {
            settle->first_errno = answer;
            settle->first_device = message->nlmsg_seq;
        }
    }
    // An interface that leaves says its number there (Linux 4.16).
    if (message->nlmsg_type == RTM_DELLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg))) {
        const struct ifinfomsg *link = NLMSG_DATA(message);
        struct netdev_moved *device = by_index(settle->move, link->ifi_index);
        if (device && device->new_index == 0) {
            device->new_index = (int)netlink_attribute_u32(message, sizeof(*link), IFLA_NEW_IFINDEX, 0);
        }
    }
    return 0;
}

static int settle(int fd, const struct buf *batch, struct settle *settle, struct err *err) {
    if (batch->size == 0) {
        return 0;
    }
    int result = netlink_send(fd, batch, err);
    while (result == 0 && settle->awaited > 0) {
        result = netlink_receive(fd, take_settled, settle, err);
    }
    return result;
}

static int complain(const struct netdev_moved *device, int errnum, struct err *err) {
    const char *name = device->name, *new_name = device->new_name;
    if (errnum == EEXIST) {
        return err_set(err, ERR_EXISTS, "network device \"%s\": the container has one called \"%s\" already; give another name, or one "
                       "with %%d", name, new_name);
    }
    if (errnum == EINVAL) {
        return err_set(err, ERR_UNSUPPORTED, "network device \"%s\": this kind of device cannot leave its network namespace", name);
    }
    return err_num(err, errnum, "network device \"%s\": move it into the container", name);
}

static int move_all(struct netdev_move *move, struct err *err) {
    AUTO_BUF struct buf batch = {0};
    struct settle settled = {.move = move, .awaited = move->count};
    for (size_t i = 0; i < move->count; i++) {
        const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = move->devices[i].index};
        netlink_begin(&batch, RTM_NEWLINK, NLM_F_ACK, (uint32_t)i, &link, sizeof(link));
        netlink_add_u32(&batch, IFLA_NET_NS_FD, (uint32_t)move->there_ns);
        netlink_add_string(&batch, IFLA_IFNAME, move->devices[i].new_name);
    }
    if (settle(move->here, &batch, &settled, err) < 0) {
        return -1;
    }
    if (settled.first_errno) {
        return complain(&move->devices[settled.first_device], settled.first_errno, err);
    }
    for (size_t i = 0; i < move->count; i++) {
        if (move->devices[i].new_index == 0) {
            return err_set(err, ERR_UNSUPPORTED, "network device \"%s\": the kernel does not say where it went; Linux 4.16 is needed",
                           move->devices[i].name);
        }
    }
    return 0;
}

// Adds the requests for the addresses, each of which gets the device's index and place in the list, and the one to set it up.
static size_t add_configuration(struct buf *batch, const struct buf *addresses, uint32_t number, int index, bool up) {
    size_t start = batch->size, count = 0;
    buf_add(batch, addresses->data, addresses->size);
    while (start < batch->size) {
        struct nlmsghdr *message = (struct nlmsghdr *)(void *)(batch->data + start);
        struct ifaddrmsg *address = NLMSG_DATA(message);
        message->nlmsg_seq = number;
        address->ifa_index = (unsigned)index;
        start += NLMSG_ALIGN(message->nlmsg_len);
        count++;
    }
    if (up) {
        const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
        netlink_begin(batch, RTM_NEWLINK, NLM_F_ACK, number, &link, sizeof(link));
        count++;
    }
    return count;
}

static int configure_there(struct netdev_move *move, struct err *err) {
    AUTO_BUF struct buf batch = {0};
    struct settle settled = {.move = move};
    for (size_t i = 0; i < move->count; i++) {
        const struct netdev_moved *device = &move->devices[i];
        settled.awaited += add_configuration(&batch, &device->addresses_there, (uint32_t)i, device->new_index, true);
    }
    if (settle(move->there, &batch, &settled, err) < 0) {
        return -1;
    }
    return settled.first_errno ? err_num(err, settled.first_errno, "network device \"%s\": give it its addresses and set it up",
                                         move->devices[settled.first_device].name)
                               : 0;
}

static int move_and_configure(struct netdev_move *move, struct err *err) {
    move->here_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (move->here_ns < 0) {
        return err_sys(err, "open the network namespace");
    }
    move->here = netlink_open(err);
    move->there = move->here < 0 ? -1 : netlink_open_in(move->there_ns, NETLINK_ROUTE, err);
    if (move->there < 0 || look_for_all(move, err) < 0 ||
        netlink_join(move->here, RTNLGRP_LINK, err) < 0) {
        return -1;
    }
    if (move_all(move, err) < 0 || configure_there(move, err) < 0) {
        netdev_undo(move);
        return -1;
    }
    return 0;
}

int netdev_move(const struct netdev *devices, size_t count, int there_ns, struct netdev_move *ret, struct err *err) {
    struct netdev_move move = NETDEV_MOVE_NONE;
    move.there_ns = there_ns;
    move.devices = mem_alloc(count * sizeof(*move.devices));
    move.count = count;
    for (size_t i = 0; i < count; i++) {
        move.devices[i].name = devices[i].name;
        move.devices[i].new_name = devices[i].new_name ? devices[i].new_name : devices[i].name;
    }
    int result = move_and_configure(&move, err);
    move.there_ns = -1;
    if (result < 0) {
        netdev_move_finish(&move);
        return -1;
    }
    *ret = move;
    return 0;
}

// --- and back ---

void netdev_undo(struct netdev_move *move) {
    AUTO_BUF struct buf back = {0};
    AUTO_BUF struct buf configuration = {0};
    struct settle returned = {.move = move}, settled = {.move = move};
    struct err err;
    for (size_t i = 0; i < move->count; i++) {
        struct netdev_moved *device = &move->devices[i];
        if (device->new_index == 0) {
            continue;
        }
        // Under its old number too, where the kernel can (5.13): else it would be another interface to whoever knows it by that.
        const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = device->new_index};
        netlink_begin(&back, RTM_NEWLINK, NLM_F_ACK, (uint32_t)i, &link, sizeof(link));
        netlink_add_u32(&back, IFLA_NET_NS_FD, (uint32_t)move->here_ns);
        netlink_add_u32(&back, IFLA_NEW_IFINDEX, (uint32_t)device->index);
        netlink_add_string(&back, IFLA_IFNAME, device->name);
        returned.awaited++;
        settled.awaited += add_configuration(&configuration, &device->addresses_here, (uint32_t)i, device->index, device->up);
        device->new_index = 0;
    }
    if (settle(move->there, &back, &returned, &err) < 0 || settle(move->here, &configuration, &settled, &err) < 0) {
        log_warn("bring back network devices: %s", err.text);
    }
    const struct settle *failed = returned.first_errno ? &returned : settled.first_errno ? &settled : NULL;
    if (failed) {
        log_warn("bring back network device \"%s\": %s", move->devices[failed->first_device].name, strerror(failed->first_errno));
    }
}
