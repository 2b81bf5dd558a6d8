#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/net/responder/responder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { LOOK_MS = 1000, AVOID_MS = 30 * 1000 };

static const char behind_name[] = "resolv.conf";

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void look(int dir_fd, const char *name, struct stat *ret) {
    if (!*name || fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) < 0) {
        *ret = (struct stat){0};
    }
}

static void read_file(int dir_fd, const char *name, struct resolv *ret) {
    AUTO_FREE char *text = NULL;
    size_t size;
    struct err missing;
    AUTO_FD int fd = *name ? openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    *ret = (struct resolv){0};
    if (fd >= 0 && fd_read_rest(fd, RESOLV_MAX_BYTES, name, &text, &size, &missing) == 0) {
        resolv_parse(text, size, ret);
    }
}

static uint32_t index_of(const char *scope) {
    struct ifreq request = {0};
    AUTO_FD int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    strncpy(request.ifr_name, scope, sizeof(request.ifr_name) - 1);
    return fd >= 0 && ioctl(fd, SIOCGIFINDEX, &request) == 0 ? (uint32_t)request.ifr_ifindex : 0;
}

// Ourselves: who asks us would be asked by us.
static bool is_gateway(const struct address *address) {
    for (size_t i = 0; i < responder.order.subnet_count; i++) {
        if (address_is_equal(&responder.order.gateways[i], address)) {
            return true;
        }
    }
    return false;
}

// In a namespace that is not the host's its loopback is another one: who stands there for it is asked, once.
static bool stand_in(const struct resolv *resolv, size_t at, struct address *address) {
    const struct address *other = &responder.order.stand_in;
    if (address->family != AF_INET || address->bytes[0] != 127 || other->family == 0) {
        return true;
    }
    for (size_t i = 0; i < at; i++) {
        if (resolv->servers[i].address.family == AF_INET && resolv->servers[i].address.bytes[0] == 127) {
            return false;
        }
    }
    *address = *other;
    return true;
}

// systemd-resolved is asked first, and what is behind it when it does not answer.
static void read_servers(struct upstreams *upstreams) {
    struct resolv resolv, behind;
    read_file(RESPONDER_RESOLV, responder.order.resolv_name, &resolv);
    if (resolv_has_stub(&resolv)) {
        read_file(RESPONDER_BEHIND, behind_name, &behind);
        resolv_add_servers(&resolv, &behind);
    }
    upstreams->resolv.server_count = 0;
    for (size_t i = 0; i < resolv.server_count; i++) {
        struct resolv_server server = resolv.servers[i];
        if (stand_in(&resolv, i, &server.address) && !is_gateway(&server.address)) {
            size_t at = upstreams->resolv.server_count++;
            upstreams->resolv.servers[at] = server;
            upstreams->avoid_until_ms[at] = 0;
            upstreams->scopes[at] = *resolv.servers[i].scope ? index_of(resolv.servers[i].scope) : 0;
        }
    }
}

void upstreams_refresh(int64_t now_ms) {
    struct upstreams *upstreams = &responder.upstreams;
    struct stat now[2];
    if (now_ms < upstreams->next_look_ms) {
        return;
    }
    upstreams->next_look_ms = now_ms + LOOK_MS;
    look(RESPONDER_RESOLV, responder.order.resolv_name, &now[0]);
    look(RESPONDER_BEHIND, behind_name, &now[1]);
    if (!is_same(&now[0], &upstreams->seen[0]) || !is_same(&now[1], &upstreams->seen[1])) {
        memcpy(upstreams->seen, now, sizeof(now));
        read_servers(upstreams);
    }
}

size_t upstreams_order(int64_t now_ms, unsigned order[RESOLV_MAX_SERVERS]) {
    const struct upstreams *upstreams = &responder.upstreams;
    size_t count = 0;
    for (int avoided = 0; avoided < 2; avoided++) {
        for (unsigned i = 0; i < upstreams->resolv.server_count; i++) {
            if ((upstreams->avoid_until_ms[i] > now_ms) == avoided) {
                order[count++] = i;
            }
        }
    }
    return count;
}

void upstream_avoid(unsigned server, int64_t now_ms) {
    responder.upstreams.avoid_until_ms[server] = now_ms + AVOID_MS;
}

void upstream_trust(unsigned server) {
    responder.upstreams.avoid_until_ms[server] = 0;
}

// Connected, so that the kernel takes answers from nobody else, and tells when there is nobody. Its port is by chance.
int upstream_connect_to(const struct address *address, uint32_t scope, int type) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT), .sin6_scope_id = scope};
    bool is_4 = address->family == AF_INET;
    memcpy(is_4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, address->bytes, is_4 ? 4 : 16);
    AUTO_FD int fd = socket(address->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        (connect(fd, is_4 ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6, is_4 ? sizeof(in) : sizeof(in6)) < 0 &&
         errno != EINPROGRESS)) {
        return -1;
    }
    return fd_take(&fd);
}

int upstream_connect(unsigned server, int type) {
    return upstream_connect_to(&responder.upstreams.resolv.servers[server].address, responder.upstreams.scopes[server], type);
}
