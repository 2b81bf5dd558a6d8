// A small internet in one process: network namespaces, bridges and endpoints of the real kind, and sockets in them that talk.
//
// The kernel shakes hands for a listening socket by itself, so that one process can be both ends: no server has to run. Needs root; each
// test program enters a namespace of its own first, so nothing of the machine's network is touched, and all is gone with the program.
#ifndef COFFER_TESTS_UNIT_NET_LAB_H
#define COFFER_TESTS_UNIT_NET_LAB_H

#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/netns.h"
#include "runtime/net/bridge.h"
#include "runtime/net/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LAB_WAIT_MS = 1500, LAB_NOTHING_MS = 250 }; // how long something is awaited that must come, and that must not

// Where the caller is: the host of the small internet. False, with the reason, where the machine gives none.
static inline bool lab_enter(const char **ret_reason) {
    struct err err = {0};
    if (geteuid() != 0) {
        *ret_reason = "needs root";
        return false;
    }
    AUTO_FD int made = netns_create(true, &err);
    if (made < 0 || endpoint_loopback(made, &err) < 0) {
        printf("# %s\n", err.text);
        *ret_reason = "this machine gives no network namespace";
        return false;
    }
    return true;
}

static inline struct address lab_address(const char *text) {
    struct address address = {0};
    struct err err = {0};
    if (address_parse("test", text, &address, &err) < 0) {
        printf("# %s\n", err.text);
        abort();
    }
    return address;
}

static inline struct link_address lab_link_address(const char *text, uint8_t prefix) {
    return (struct link_address){lab_address(text), prefix};
}

// A bridge with a gateway of either family; NULL leaves one out.
static inline int lab_bridge(const char *name, const char *ipv4, const char *ipv6) {
    struct link_address addresses[2];
    struct bridge_request request = {.name = name, .addresses = addresses};
    struct err err = {0};
    int index = -1;
    if (ipv4) {
        addresses[request.address_count++] = lab_link_address(ipv4, 24);
    }
    if (ipv6) {
        addresses[request.address_count++] = lab_link_address(ipv6, 64);
    }
    if (bridge_ensure(&request, &index, NULL, &err) < 0) {
        printf("# %s\n", err.text);
    }
    return index;
}

// A namespace on a bridge, with its own addresses and default routes by the gateways, any of which may be NULL. Returns the namespace.
struct lab_host {
    const char *bridge, *host_name, *ipv4, *ipv6, *gateway4, *gateway6;
};
static inline int lab_host(const struct lab_host *host) {
    struct link_address addresses[2];
    struct address gateways[2];
    struct endpoint_request request = {
        .parent = host->bridge, .host_name = host->host_name, .name = "eth0", .addresses = addresses, .gateways = gateways};
    struct endpoint endpoint;
    struct err err = {0};
    if (host->ipv4) {
        addresses[request.address_count++] = lab_link_address(host->ipv4, 24);
    }
    if (host->ipv6) {
        addresses[request.address_count++] = lab_link_address(host->ipv6, 64);
    }
    if (host->gateway4) {
        gateways[request.gateway_count++] = lab_address(host->gateway4);
    }
    if (host->gateway6) {
        gateways[request.gateway_count++] = lab_address(host->gateway6);
    }
    AUTO_FD int made = netns_create(false, &err);
    if (made < 0 || endpoint_create(&request, made, &endpoint, &err) < 0) {
        printf("# %s\n", err.text);
        return -1;
    }
    return fd_take(&made);
}

// In a namespace (-1: here) for a moment.
static inline int lab_socket(int netns, int family, int type) {
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0) {
        return -1;
    }
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (netns >= 0 && setns(here, CLONE_NEWNET) < 0) {
        abort();
    }
    return fd;
}

static inline socklen_t lab_sockaddr(const char *text, uint16_t port, struct sockaddr_storage *ret) {
    struct address address = lab_address(text);
    *ret = (struct sockaddr_storage){.ss_family = address.family};
    if (address.family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, address.bytes, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, address.bytes, 16);
    return sizeof(*in6);
}

static inline bool lab_ready(int fd, short events, int timeout_ms) {
    struct pollfd waited = {.fd = fd, .events = events};
    return poll(&waited, 1, timeout_ms) == 1;
}

// A socket of SOCK_STREAM that listens, or of SOCK_DGRAM that is bound.
static inline int lab_serve(int netns, int type, const char *address, uint16_t port) {
    struct sockaddr_storage name;
    socklen_t size = lab_sockaddr(address, port, &name);
    int fd = lab_socket(netns, name.ss_family, type), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&name, size) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0)) {
        printf("# serve %s:%u: %s\n", address, port, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

// Connects within a time; -1 with errno set otherwise (ETIMEDOUT: nobody answered).
static inline int lab_connect(int netns, int type, const char *address, uint16_t port, int timeout_ms) {
    struct sockaddr_storage name;
    socklen_t size = lab_sockaddr(address, port, &name);
    int fd = lab_socket(netns, name.ss_family, type), error = 0;
    socklen_t error_size = sizeof(error);
    if (connect(fd, (struct sockaddr *)&name, size) < 0 && errno != EINPROGRESS) {
        error = errno;
    } else if (!lab_ready(fd, POLLOUT, timeout_ms)) {
        error = ETIMEDOUT;
    } else {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    }
    if (error) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static inline void lab_text_of(const struct sockaddr_storage *name, char text[ADDRESS_TEXT_SIZE]) {
    const void *bytes = name->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)name)->sin_addr
                                                   : (const void *)&((const struct sockaddr_in6 *)name)->sin6_addr;
    text[0] = '\0';
    inet_ntop(name->ss_family, bytes, text, ADDRESS_TEXT_SIZE);
}

// Whether a connection from one to the other comes about and carries a byte each way. The server sees it come from *ret_seen.
static inline bool lab_stream(int client_ns, const char *address, uint16_t port, int server, char ret_seen[ADDRESS_TEXT_SIZE]) {
    AUTO_FD int client = lab_connect(client_ns, SOCK_STREAM, address, port, LAB_WAIT_MS);
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    ret_seen[0] = '\0';
    if (client < 0 || !lab_ready(server, POLLIN, LAB_WAIT_MS)) {
        printf("# connect to %s:%u: %s\n", address, port, strerror(errno));
        return false;
    }
    AUTO_FD int accepted = accept4(server, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
    lab_text_of(&peer, ret_seen);
    char byte = 'x';
    return write(client, &byte, 1) == 1 && lab_ready(accepted, POLLIN, LAB_WAIT_MS) && read(accepted, &byte, 1) == 1 &&
           write(accepted, &byte, 1) == 1 && lab_ready(client, POLLIN, LAB_WAIT_MS) && read(client, &byte, 1) == 1;
}

// The same for a datagram and its answer, by a client that is connected: the answer must come from where the question went.
static inline bool lab_ask(int client, int server, int timeout_ms, char ret_seen[ADDRESS_TEXT_SIZE]) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    char byte = 'x';
    ret_seen[0] = '\0';
    if (write(client, &byte, 1) != 1 || !lab_ready(server, POLLIN, timeout_ms) ||
        recvfrom(server, &byte, 1, 0, (struct sockaddr *)&peer, &size) != 1) {
        return false;
    }
    lab_text_of(&peer, ret_seen);
    return sendto(server, &byte, 1, 0, (struct sockaddr *)&peer, size) == 1 && lab_ready(client, POLLIN, timeout_ms) &&
           read(client, &byte, 1) == 1;
}

static inline double lab_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline int lab_compare(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static inline double lab_median(const double *values, size_t count) {
    double sorted[64];
    count = count < 64 ? count : 64;
    memcpy(sorted, values, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), lab_compare);
    return sorted[count / 2];
}

#endif
