#include "runtime/net/port_holder.h"

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/netlink.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// --- the socket ---

struct search {
    const struct address *address;
    uint16_t port;
    uint32_t inode; // 0: not found, or a socket that no process has any more
};

static bool is_any(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

// Two that are bound to the same address, or one of which is bound to all, are in each other's way; :: may stand for IPv4 as well.
static bool conflicts(const struct inet_diag_msg *socket, const struct address *address) {
    size_t size = socket->idiag_family == AF_INET ? 4 : 16;
    const uint8_t *bound = (const uint8_t *)socket->id.idiag_src;
    if (is_any(bound, size)) {
        return address->family == socket->idiag_family || socket->idiag_family == AF_INET6;
    }
    return address->family == socket->idiag_family && (is_any(address->bytes, size) || memcmp(bound, address->bytes, size) == 0);
}

static int take_socket(void *context, const struct nlmsghdr *message, struct err *err) {
    (void)err;
    struct search *search = context;
    if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
        const struct inet_diag_msg *socket = NLMSG_DATA(message);
        if (search->inode == 0 && ntohs(socket->id.idiag_sport) == search->port && conflicts(socket, search->address)) {
            search->inode = socket->idiag_inode;
        }
    }
    return 0;
}

// All states: what holds a port need not listen. Sockets that are bound and no more are told from Linux 6.8 on.
static void find_socket(int fd, uint8_t protocol, uint8_t family, struct search *search) {
    AUTO_BUF struct buf batch = {0};
    const struct inet_diag_req_v2 request = {
        .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u, .id.idiag_sport = htons(search->port)};
    struct netlink_failure failure;
    struct err err;
    netlink_begin(&batch, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 1, &request, sizeof(request));
    if (netlink_exchange(fd, &batch, 1, take_socket, search, &failure, &err) < 0) {
        search->inode = 0;
    }
}

// --- its process ---

static bool has_socket(int proc, const char *pid, const char *wanted) {
    char path[280], target[64];
    snprintf(path, sizeof(path), "%s/fd", pid);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    const struct dirent *entry;
    while (folder && !found && (entry = readdir(folder)) != NULL) {
        ssize_t size = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);
        target[size > 0 ? size : 0] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

static void describe(int proc, const char *pid, char ret[PORT_HOLDER_SIZE]) {
    char path[280], name[64] = "", quoted[QUOTE_SIZE];
    snprintf(path, sizeof(path), "%s/comm", pid);
    AUTO_FD int fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
    name[size > 0 ? size : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    snprintf(ret, PORT_HOLDER_SIZE, "%s (process %.10s)", quote_text(name, quoted), pid);
}

static bool find_process(uint32_t inode, char ret[PORT_HOLDER_SIZE]) {
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
    DIR *folder = opendir("/proc");
    bool found = false;
    const struct dirent *entry;
    while (folder && !found && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && has_socket(dirfd(folder), entry->d_name, wanted)) {
            describe(dirfd(folder), entry->d_name, ret);
            found = true;
        }
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

bool port_holder(uint8_t protocol, const struct address *address, uint16_t port, char ret[PORT_HOLDER_SIZE]) {
    struct search search = {.address = address, .port = port};
    struct err err;
    AUTO_FD int fd = netlink_open_family(NETLINK_SOCK_DIAG, &err);
    if (fd < 0) {
        return false;
    }
    find_socket(fd, protocol, AF_INET, &search);
    if (search.inode == 0) {
        find_socket(fd, protocol, AF_INET6, &search);
    }
    return search.inode != 0 && find_process(search.inode, ret);
}
