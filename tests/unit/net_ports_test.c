// Ports of the host, reserved in a network namespace of the test's own.
#include "tests/unit/net_lab.h"

#include "runtime/net/ports.h"

#include <sys/prctl.h>

static const char *no_lab;

static struct port_wish wish_of(uint8_t protocol, const char *address, uint16_t first, uint16_t last) {
    struct port_wish wish = {.protocol = protocol, .first = first, .last = last};
    wish.addresses[wish.address_count++] = lab_address(address);
    return wish;
}

static int reserve(const struct port_wish *wish, struct port_reservation *ret, struct err *err) {
    return port_reserve(wish, NULL, NULL, ret, err);
}

CASE(a_reserved_port_is_taken) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    const struct port_wish wish = wish_of(IPPROTO_TCP, "127.0.0.1", 8080, 8080), all = wish_of(IPPROTO_TCP, "0.0.0.0", 8080, 8080);
    const struct port_wish udp = wish_of(IPPROTO_UDP, "127.0.0.1", 8080, 8080), ipv6 = wish_of(IPPROTO_TCP, "::", 8080, 8080);
    AUTO_PORT_RESERVATION struct port_reservation first = PORT_RESERVATION_NONE, second = PORT_RESERVATION_NONE,
                                                  third = PORT_RESERVATION_NONE, none = PORT_RESERVATION_NONE;
    CHECK_INT(reserve(&wish, &first, &err), 0);
    CHECK_INT(first.port, 8080);
    CHECK_INT(reserve(&wish, &none, &err), -1);
    CHECK_INT(err.kind, ERR_EXISTS);
    CHECK_INT(reserve(&all, &none, &err), -1);
    CHECK(strncmp(err.text, "port 8080/tcp of 0.0.0.0 is taken by ", 37) == 0);
    // Another protocol and another family are another port.
    CHECK_INT(reserve(&udp, &second, &err), 0);
    CHECK_INT(reserve(&ipv6, &third, &err), 0);
    // It does not listen.
    CHECK_INT(lab_connect(-1, SOCK_STREAM, "127.0.0.1", 8080, LAB_WAIT_MS), -1);
    CHECK_INT(errno, ECONNREFUSED);
    port_release(&first);
    CHECK_INT(reserve(&wish, &first, &err), 0);
}

CASE(what_a_datagram_port_gets_is_not_kept) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    const struct port_wish wish = wish_of(IPPROTO_UDP, "127.0.0.1", 53, 53);
    AUTO_PORT_RESERVATION struct port_reservation made = PORT_RESERVATION_NONE;
    CHECK_INT(reserve(&wish, &made, &err), 0);
    AUTO_FD int client = lab_connect(-1, SOCK_DGRAM, "127.0.0.1", 53, LAB_WAIT_MS);
    CHECK_INT(write(client, "x", 1), 1);
    CHECK(!lab_ready(made.fds[0], POLLIN, LAB_NOTHING_MS));
}

static const char *owner(void *context, uint8_t protocol, const struct address *address, uint16_t port) {
    CHECK(protocol == IPPROTO_TCP && address->family == AF_INET);
    return port == 81 ? context : NULL;
}

CASE(who_has_it_is_told) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    char name[] = "container web", expected[256], program[16];
    AUTO_PORT_RESERVATION struct port_reservation made = PORT_RESERVATION_NONE, none = PORT_RESERVATION_NONE;
    const struct port_wish ours = wish_of(IPPROTO_TCP, "0.0.0.0", 81, 81), theirs = wish_of(IPPROTO_TCP, "0.0.0.0", 82, 82);
    const struct port_wish datagrams = wish_of(IPPROTO_UDP, "127.0.0.1", 82, 82), dual = wish_of(IPPROTO_TCP, "0.0.0.0", 83, 83);
    CHECK_INT(reserve(&ours, &made, &err), 0);
    CHECK_INT(port_reserve(&ours, owner, name, &none, &err), -1);
    CHECK_STR(err.text, "port 81/tcp of 0.0.0.0 is taken by container web; choose another one");
    prctl(PR_GET_NAME, program);
    AUTO_FD int tcp = lab_serve(-1, SOCK_STREAM, "127.0.0.1", 82), udp = lab_serve(-1, SOCK_DGRAM, "127.0.0.1", 82);
    AUTO_FD int both = lab_serve(-1, SOCK_STREAM, "::", 83);
    CHECK_INT(port_reserve(&theirs, owner, name, &none, &err), -1);
    snprintf(expected, sizeof(expected), "port 82/tcp of 0.0.0.0 is taken by \"%s\" (process %d); choose another one, or stop that", program,
             getpid());
    CHECK_STR(err.text, expected);
    CHECK_INT(reserve(&datagrams, &none, &err), -1);
    snprintf(expected, sizeof(expected), "port 82/udp of 127.0.0.1 is taken by \"%s\" (process %d); choose another one, or stop that", program,
             getpid());
    CHECK_STR(err.text, expected);
    CHECK_INT(reserve(&dual, &none, &err), -1); // IPv4 by a socket of IPv6
    snprintf(expected, sizeof(expected), "port 83/tcp of 0.0.0.0 is taken by \"%s\" (process %d); choose another one, or stop that", program,
             getpid());
    CHECK_STR(err.text, expected);
    CHECK(tcp >= 0 && udp >= 0 && both >= 0);
}

CASE(any_port_is_the_same_on_all_addresses) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    struct port_wish wish = wish_of(IPPROTO_TCP, "0.0.0.0", 0, 0);
    wish.addresses[wish.address_count++] = lab_address("::");
    AUTO_PORT_RESERVATION struct port_reservation made = PORT_RESERVATION_NONE, none = PORT_RESERVATION_NONE;
    CHECK_INT(reserve(&wish, &made, &err), 0);
    CHECK(made.port != 0 && made.fds[0] >= 0 && made.fds[1] >= 0);
    wish.first = wish.last = made.port;
    CHECK_INT(reserve(&wish, &none, &err), -1);
    // When the second address fails the first one is free again.
    AUTO_FD int other = lab_serve(-1, SOCK_STREAM, "::1", 91);
    wish.first = wish.last = 91;
    CHECK_INT(reserve(&wish, &none, &err), -1);
    CHECK(strncmp(err.text, "port 91/tcp of :: is taken by ", 30) == 0);
    AUTO_FD int free_again = lab_serve(-1, SOCK_STREAM, "0.0.0.0", 91);
    CHECK(other >= 0 && free_again >= 0);
}

CASE(of_a_range_the_first_free_one) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    const struct port_wish wish = wish_of(IPPROTO_TCP, "127.0.0.1", 65534, 65535);
    AUTO_PORT_RESERVATION struct port_reservation first = PORT_RESERVATION_NONE, second = PORT_RESERVATION_NONE, none = PORT_RESERVATION_NONE;
    CHECK_INT(reserve(&wish, &first, &err), 0);
    CHECK_INT(reserve(&wish, &second, &err), 0);
    CHECK_INT(first.port, 65534);
    CHECK_INT(second.port, 65535);
    CHECK_INT(reserve(&wish, &none, &err), -1);
    CHECK_STR(err.text, "ports 65534-65535/tcp are all taken; choose others");
}

CASE(what_cannot_be_is_told) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    const struct port_wish wish = wish_of(IPPROTO_TCP, "192.0.2.77", 80, 80);
    AUTO_PORT_RESERVATION struct port_reservation none = PORT_RESERVATION_NONE;
    CHECK_INT(reserve(&wish, &none, &err), -1);
    CHECK_STR(err.text, "port 80/tcp of 192.0.2.77: this host has no such address");
}

// A server that ended a moment ago, whose last connections the kernel still remembers.
CASE(ended_connections_are_no_conflict) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    const struct port_wish wish = wish_of(IPPROTO_TCP, "0.0.0.0", 88, 88);
    AUTO_PORT_RESERVATION struct port_reservation made = PORT_RESERVATION_NONE, none = PORT_RESERVATION_NONE;
    AUTO_FD int server = lab_serve(-1, SOCK_STREAM, "0.0.0.0", 88);
    AUTO_FD int client = lab_connect(-1, SOCK_STREAM, "127.0.0.1", 88, LAB_WAIT_MS);
    CHECK(lab_ready(server, POLLIN, LAB_WAIT_MS));
    AUTO_FD int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    fd_close(&accepted);
    CHECK(lab_ready(client, POLLIN, LAB_WAIT_MS));
    fd_close(&client);
    CHECK_INT(reserve(&wish, &none, &err), -1); // it listens still
    fd_close(&server);
    AUTO_FD int strict = lab_socket(-1, AF_INET, SOCK_STREAM);
    struct sockaddr_storage name;
    socklen_t size = lab_sockaddr("0.0.0.0", 88, &name);
    CHECK(bind(strict, (struct sockaddr *)&name, size) < 0 && errno == EADDRINUSE); // so the kernel does remember
    CHECK_INT(reserve(&wish, &made, &err), 0);
    CHECK_INT(lab_connect(-1, SOCK_STREAM, "127.0.0.1", 88, LAB_WAIT_MS), -1);
    CHECK_INT(errno, ECONNREFUSED);
    CHECK_INT(reserve(&wish, &none, &err), -1);
}

int main(void) {
    lab_enter(&no_lab);
    RUN(a_reserved_port_is_taken);
    RUN(what_a_datagram_port_gets_is_not_kept);
    RUN(who_has_it_is_told);
    RUN(any_port_is_the_same_on_all_addresses);
    RUN(of_a_range_the_first_free_one);
    RUN(what_cannot_be_is_told);
    RUN(ended_connections_are_no_conflict);
    return check_done();
}
