#include "runtime/net/ports.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/net/port_holder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

// Ports of the kernel's choice that turn out to be taken on the second address.
enum { ATTEMPTS = 50 };

void port_release(struct port_reservation *reservation) {
    for (size_t i = 0; i < PORT_MOST_ADDRESSES; i++) {
        fd_close(&reservation->fds[i]);
    }
}

void port_hand_over(struct port_reservation *reservation) {
    int on = 1;
    for (size_t i = 0; i < PORT_MOST_ADDRESSES; i++) {
        if (reservation->fds[i] >= 0) {
            setsockopt(reservation->fds[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        }
    }
    port_release(reservation);
}

static const char *protocol_name(uint8_t protocol) {
    return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "sctp";
}

static socklen_t make_name(const struct address *address, uint16_t port, struct sockaddr_storage *ret) {
    if (address->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, address->bytes, sizeof(in.sin_addr));
        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in6.sin6_addr, address->bytes, sizeof(in6.sin6_addr));
    memcpy(ret, &in6, sizeof(in6));
    return sizeof(in6);
}

// -1 with errno.
static int try_bind(uint8_t protocol, const struct address *address, uint16_t port, bool among_ended) {
    static struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog filter = {ARRAY_LEN(nothing), nothing};
    struct sockaddr_storage name = {0};
    socklen_t size = make_name(address, port, &name);
    int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, on = 1, off = 0;
    AUTO_FD int fd = socket(address->family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0 || (address->family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        (among_ended && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
        // What is sent to it is read by nobody, and need not be kept.
        (protocol == IPPROTO_UDP && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0) ||
        bind(fd, (const struct sockaddr *)&name, size) < 0) {
        return -1;
    }
    // Only by listening can it be told from others that share the port; then it stops, keeps the port, and shares it no more.
    if (among_ended &&
        (listen(fd, 0) < 0 || shutdown(fd, SHUT_RDWR) < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) < 0)) {
        return -1;
    }
    return fd_take(&fd);
}

// Connections of a server that is gone hold its port for a minute. They are no conflict.
static int bind_one(uint8_t protocol, const struct address *address, uint16_t port) {
    int fd = try_bind(protocol, address, port, false);
    return fd < 0 && errno == EADDRINUSE && protocol == IPPROTO_TCP && port != 0 ? try_bind(protocol, address, port, true) : fd;
}

static uint16_t port_of(int fd) {
    struct sockaddr_storage name = {0};
    struct sockaddr_in in;
    socklen_t size = sizeof(name);
    if (getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
        return 0;
    }
    memcpy(&in, &name, sizeof(in)); // the port is at the same place in both families
    return ntohs(in.sin_port);
}

// That the kernel has none of the kind is no conflict.
static bool is_missing(int errnum) {
    return errnum == EPROTONOSUPPORT || errnum == ESOCKTNOSUPPORT || errnum == EAFNOSUPPORT;
}

// Reserves this port, 0 for any, on all addresses. -1 with errno, and the address that is at fault.
static int reserve_port(const struct port_wish *wish, uint16_t port, struct port_reservation *ret, size_t *ret_at) {
    AUTO_PORT_RESERVATION struct port_reservation made = PORT_RESERVATION_NONE;
    made.port = port;
    for (size_t i = 0; i < wish->address_count; i++) {
        made.fds[i] = bind_one(wish->protocol, &wish->addresses[i], made.port);
        if (made.fds[i] < 0 && !is_missing(errno)) {
            *ret_at = i;
            return -1;
        }
        if (made.fds[i] >= 0 && made.port == 0) {
            made.port = port_of(made.fds[i]);
        }
    }
    *ret = made;
    for (size_t i = 0; i < PORT_MOST_ADDRESSES; i++) {
        made.fds[i] = -1;
    }
    return 0;
}

static int complain_of_taken(const struct port_wish *wish, uint16_t port, size_t at, port_owner *owner, void *context,
                             struct err *err) {
    const struct address *address = &wish->addresses[at];
    char text[ADDRESS_TEXT_SIZE], holder[PORT_HOLDER_SIZE];
    const char *protocol = protocol_name(wish->protocol), *of_ours = owner ? owner(context, wish->protocol, address, port) : NULL;
    address_format(address, text);
    if (of_ours) {
        return err_set(err, ERR_EXISTS, "port %u/%s of %s is taken by %s; choose another one", port, protocol, text, of_ours);
    }
    if (port_holder(wish->protocol, address, port, holder)) {
        return err_set(err, ERR_EXISTS, "port %u/%s of %s is taken by %s; choose another one, or stop that", port, protocol, text,
                       holder);
    }
    return err_set(err, ERR_EXISTS, "port %u/%s of %s is taken by another program; choose another one", port, protocol, text);
}

static int complain(const struct port_wish *wish, uint16_t port, size_t at, int errnum, struct err *err) {
    char text[ADDRESS_TEXT_SIZE];
    address_format(&wish->addresses[at], text);
    if (errnum == EADDRNOTAVAIL) {
        return err_set(err, ERR_INPUT, "port %u/%s of %s: this host has no such address", port, protocol_name(wish->protocol),
                       text);
    }
    if (errnum == EACCES) {
        return err_set(err, ERR_UNSUPPORTED, "port %u/%s of %s: only root can take ports below net.ipv4.ip_unprivileged_port_start",
                       port, protocol_name(wish->protocol), text);
    }
    return err_num(err, errnum, "reserve port %u/%s of %s", port, protocol_name(wish->protocol), text);
}

static int reserve_any(const struct port_wish *wish, struct port_reservation *ret, struct err *err) {
    size_t at = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        if (reserve_port(wish, 0, ret, &at) == 0) {
            return 0;
        }
        if (errno != EADDRINUSE) {
            return complain(wish, 0, at, errno, err);
        }
    }
    return err_set(err, ERR_EXISTS, "no %s port is free on all of the addresses", protocol_name(wish->protocol));
}

int port_reserve(const struct port_wish *wish, port_owner *owner, void *context, struct port_reservation *ret, struct err *err) {
    size_t at = 0;
    if (wish->first == 0) {
        return reserve_any(wish, ret, err);
    }
    for (unsigned port = wish->first; port <= wish->last; port++) {
        if (reserve_port(wish, (uint16_t)port, ret, &at) == 0) {
            return 0;
        }
        if (errno != EADDRINUSE) {
            return complain(wish, (uint16_t)port, at, errno, err);
        }
    }
    if (wish->first == wish->last) {
        return complain_of_taken(wish, wish->first, at, owner, context, err);
    }
    return err_set(err, ERR_EXISTS, "ports %u-%u/%s are all taken; choose others", wish->first, wish->last,
                   protocol_name(wish->protocol));
}
