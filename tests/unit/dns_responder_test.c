// The responder itself, in a network namespace of its own, with name servers behind it of all kinds.
#include "tests/unit/check.h"
#include "tests/unit/folder.h"

#include "runtime/base/clock.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/net/dns.h"
#include "runtime/net/dns_message.h"
#include "runtime/net/dns_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int network_fd, endpoints_fd, cgroup_fd = -1;
static pid_t responder_pid;

enum { NO_WAIT_MS = 450 }; // on a busy machine, and less than the time after which the next server is asked

static int responder_pidfd = -1;

static struct address address_of(const char *text) {
    struct address address = {0};
    struct err err = {0};
    CHECK(address_parse("test", text, &address, &err) == 0);
    return address;
}

static struct subnet subnet_of(const char *text) {
    struct subnet subnet = {0};
    struct err err = {0};
    CHECK(subnet_parse("test", text, &subnet, &err) == 0);
    return subnet;
}

static socklen_t name_of(const char *text, struct sockaddr_storage *name, int port) {
    struct address address = address_of(text);
    *name = (struct sockaddr_storage){.ss_family = address.family};
    if (address.family == AF_INET) {
        ((struct sockaddr_in *)name)->sin_port = htons((uint16_t)port);
        memcpy(&((struct sockaddr_in *)name)->sin_addr, address.bytes, 4);
        return sizeof(struct sockaddr_in);
    }
    ((struct sockaddr_in6 *)name)->sin6_port = htons((uint16_t)port);
    memcpy(&((struct sockaddr_in6 *)name)->sin6_addr, address.bytes, 16);
    return sizeof(struct sockaddr_in6);
}

static int bound(const char *address, int type, int port) {
    struct sockaddr_storage name;
    socklen_t size = name_of(address, &name, port);
    int on = 1, fd = socket(name.ss_family, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, size) < 0) {
        printf("# bind %s: %s\n", address, strerror(errno));
        CHECK(false);
    }
    return fd;
}

// --- name servers behind ---

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

// What a server says of a name is told by how the name begins. Returns the answer's size.
static size_t upstream_answer(const uint8_t *query, size_t size, const uint8_t own[4], bool tcp, uint8_t *out) {
    struct dns_query parsed;
    enum dns_code code;
    if (dns_read_query(query, size, &parsed, &code) < 0 || strncmp(parsed.name, "silent", 6) == 0) {
        return 0;
    }
    if (strncmp(parsed.name, "vpn", 3) == 0) { // the name is the first one's alone, who is slow
        if (own[0] != 11) {
            return dns_write_code(query, &parsed, DNS_NO_SUCH_NAME, out, 512);
        }
        sleep_ms(900);
    }
    if (strncmp(parsed.name, "nx", 2) == 0 || strncmp(parsed.name, "servfail", 8) == 0) {
        return dns_write_code(query, &parsed, parsed.name[0] == 'n' ? DNS_NO_SUCH_NAME : DNS_SERVER_FAILURE, out, 512);
    }
    struct address addresses[1000];
    bool big = strncmp(parsed.name, "big", 3) == 0;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        addresses[i] = (struct address){AF_INET, {own[0], own[1], own[2], own[3]}};
    }
    return dns_write_addresses(query, &parsed, addresses, big ? ARRAY_LEN(addresses) : 1, out, tcp ? DNS_MAX_SIZE : parsed.room);
}

static void upstream_udp(int fd, const uint8_t own[4]) {
    static uint8_t query[4096], out[DNS_MAX_SIZE];
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof(peer);
    ssize_t size = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&peer, &peer_size);
    size_t answer = size > 0 ? upstream_answer(query, (size_t)size, own, false, out) : 0;
    if (answer > 0 && memcmp(query + 13, "spoof", 5) == 0) {
        // Others who know the port and try their luck: another id, another name, then more addresses than asked for by a query.
        out[1] ^= 1;
        sendto(fd, out, answer, 0, (struct sockaddr *)&peer, peer_size);
        out[1] ^= 1;
        out[14] ^= 1;
        sendto(fd, out, answer, 0, (struct sockaddr *)&peer, peer_size);
        out[14] ^= 1;
        sendto(fd, query, (size_t)size, 0, (struct sockaddr *)&peer, peer_size);
        sleep_ms(50);
    }
    if (answer > 0) {
        sendto(fd, out, answer, 0, (struct sockaddr *)&peer, peer_size);
    }
}

static void upstream_tcp(int listener, const uint8_t own[4]) {
    static uint8_t query[4096], out[2 + DNS_MAX_SIZE];
    AUTO_FD int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ssize_t size = fd_read_full(fd, query, 2);
    size_t length = size == 2 ? (size_t)(query[0] << 8 | query[1]) : 0;
    if (length > 0 && length <= sizeof(query) && fd_read_full(fd, query, length) == (ssize_t)length) {
        size_t answer = upstream_answer(query, length, own, true, out + 2);
        out[0] = (uint8_t)(answer >> 8);
        out[1] = (uint8_t)answer;
        for (size_t sent = 0; sent < 2 + answer;) { // in pieces
            size_t piece = 2 + answer - sent < 777 ? 2 + answer - sent : 777;
            if (fd_write_all(fd, out + sent, piece) < 0) {
                return;
            }
            sent += piece;
        }
    }
}

// A server at this address that answers with `own`; one that has none takes all and says nothing.
static void upstream_start(const char *address, const uint8_t *own) {
    int udp = bound(address, SOCK_DGRAM, 53), tcp = bound(address, SOCK_STREAM, 53);
    CHECK(listen(tcp, 8) == 0);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            struct pollfd fds[] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
            if (poll(fds, 2, -1) < 0 || !own) {
                sleep_ms(1000);
                continue;
            }
            if (fds[0].revents) {
                upstream_udp(udp, own);
            }
            if (fds[1].revents) {
                upstream_tcp(tcp, own);
            }
        }
    }
    close(udp);
    close(tcp);
}

// --- asking ---

static struct {
    uint8_t bytes[2 + DNS_MAX_SIZE];
    size_t size;
    int64_t took_ms;
} answer;

static size_t make_query(const char *name, uint16_t type, uint8_t *out) {
    static const uint8_t header[] = {0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    size_t size = sizeof(header);
    memcpy(out, header, size);
    while (*name) {
        size_t length = strcspn(name, ".");
        out[size++] = (uint8_t)length;
        memcpy(out + size, name, length);
        size += length;
        name += length + (name[length] == '.');
    }
    const uint8_t tail[] = {0, (uint8_t)(type >> 8), (uint8_t)type, 0, 1};
    memcpy(out + size, tail, sizeof(tail));
    return size + sizeof(tail);
}

// "NOERROR 10.99.0.2 ..." of what is in `answer`.
static const char *shown(void) {
    static const char *const codes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
    AUTO_BUF struct buf text = {0};
    if (answer.size == 0) {
        return "nothing";
    }
    const uint8_t *at = answer.bytes, *end = answer.bytes + answer.size;
    unsigned code = at[3] & 15, count = (unsigned)(at[6] << 8 | at[7]);
    buf_add_string(&text, code < ARRAY_LEN(codes) ? codes[code] : "?");
    if (at[2] & 2) {
        buf_add_string(&text, " TC");
    }
    at += 12;
    while (at < end && *at) {
        at += 1 + *at;
    }
    at += 5;
    for (unsigned i = 0; i < count && i < 8 && end - at >= 12; i++) {
        char one[ADDRESS_TEXT_SIZE] = "?";
        unsigned type = at[3], size = (unsigned)(at[10] << 8 | at[11]);
        if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
            inet_ntop(type == DNS_TYPE_A ? AF_INET : AF_INET6, at + 12, one, sizeof(one));
        } else if (type == DNS_TYPE_PTR) {
            snprintf(one, sizeof(one), "%.*s", at[12], (const char *)at + 13);
        }
        buf_add_format(&text, " %s", one);
        at += 12 + size;
    }
    if (count > 8) {
        buf_add_format(&text, " (%u)", count);
    }
    return arena_copy_string(&arena, buf_string(&text));
}

// From this address to that.
static const char *ask_from(const char *from, const char *to, const char *name, uint16_t type, bool tcp, int wait_ms) {
    uint8_t query[2 + 512];
    struct sockaddr_storage server;
    socklen_t server_size = name_of(to, &server, 53);
    size_t size = make_query(name, type, query + 2);
    AUTO_FD int fd = bound(from, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    const struct timeval limit = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    int64_t started_ms = clock_now_ms();
    answer.size = 0;
    query[0] = (uint8_t)(size >> 8);
    query[1] = (uint8_t)size;
    if (connect(fd, (struct sockaddr *)&server, server_size) == 0 &&
        fd_write_all(fd, tcp ? query : query + 2, tcp ? 2 + size : size) == 0) {
        ssize_t got;
        if (tcp) {
            uint8_t length[2];
            got = fd_read_full(fd, length, 2) == 2 ? fd_read_full(fd, answer.bytes, (size_t)(length[0] << 8 | length[1])) : 0;
        } else {
            got = recv(fd, answer.bytes, sizeof(answer.bytes), 0);
        }
        answer.size = got > 0 ? (size_t)got : 0;
    }
    answer.took_ms = clock_now_ms() - started_ms;
    CHECK(answer.size == 0 || (answer.bytes[0] == 0xab && answer.bytes[1] == 0xcd));
    return shown();
}

static const char *ask(const char *name, uint16_t type) {
    return ask_from("10.99.0.2", "10.99.0.1", name, type, false, 6000);
}

static const char *ask_tcp(const char *name, uint16_t type) {
    return ask_from("10.99.0.2", "10.99.0.1", name, type, true, 6000);
}

// --- the network ---

static void publish(const char *container, const char *const *names, size_t count, const char *address_4, const char *address_6) {
    struct address addresses[2] = {address_of(address_4)};
    struct err err = {0};
    if (address_6) {
        addresses[1] = address_of(address_6);
    }
    const struct dns_endpoint endpoint = {container, names, count, addresses, address_6 ? 2 : 1, NULL, 0, NULL, 0};
    CHECK(dns_names_publish(endpoints_fd, &endpoint, &err) == 0);
}

static struct dns_request request_of(bool forward) {
    static struct subnet subnets[2];
    static struct address gateways[2];
    subnets[0] = subnet_of("10.99.0.0/24");
    subnets[1] = subnet_of("fd99::/64");
    gateways[0] = address_of("10.99.0.1");
    gateways[1] = address_of("fd99::1");
    return (struct dns_request){.network = "front",
                                .folder_fd = network_fd,
                                .netns_fd = -1,
                                .cgroup_fd = cgroup_fd,
                                .subnets = subnets,
                                .gateways = gateways,
                                .count = 2,
                                .forward = forward};
}

static void start(bool forward) {
    struct err err = {0};
    struct dns_request request = request_of(forward);
    fd_close(&responder_pidfd);
    responder_pid = dns_start(&request, &responder_pidfd, &err);
    if (responder_pid <= 0) {
        printf("# %s\n", err.text);
        CHECK(false);
    }
}

static bool ended(int wait_ms) {
    struct pollfd end = {.fd = responder_pidfd, .events = POLLIN};
    return poll(&end, 1, wait_ms) == 1;
}

static void stop(void) {
    CHECK(kill(responder_pid, SIGKILL) == 0 && ended(2000));
}

static void servers(const char *a, const char *b, const char *c) {
    AUTO_BUF struct buf text = {0};
    const char *const all[] = {a, b, c};
    for (size_t i = 0; i < 3 && all[i]; i++) {
        buf_add_format(&text, "nameserver %s\n", all[i]);
    }
    AUTO_FD int fd = open("/etc/resolv.conf", O_WRONLY | O_TRUNC | O_CLOEXEC);
    CHECK(fd >= 0 && fd_write_all(fd, text.data, text.size) == 0);
}

static const char one[] = "1111111111111111", two[] = "2222222222222222";

static void publish_both(void) {
    publish(one, (const char *[]){"web", "WWW", "111111111111"}, 3, "10.99.0.2", "fd99::2");
    publish(two, (const char *[]){"db", "www", "222222222222"}, 3, "10.99.0.3", NULL);
}

CASE(known_names_are_answered) {
    servers("127.0.0.11", NULL, NULL);
    publish_both();
    start(true);
    CHECK_STR(ask("web", DNS_TYPE_A), "NOERROR 10.99.0.2");
    CHECK_STR(ask("WEB", DNS_TYPE_AAAA), "NOERROR fd99::2");
    CHECK_STR(ask("web", DNS_TYPE_ANY), "NOERROR 10.99.0.2 fd99::2");
    CHECK_STR(ask("db", DNS_TYPE_AAAA), "NOERROR");
    CHECK_STR(ask("db", 16), "NOERROR"); // TXT
    CHECK_STR(ask("db", 65), "NOERROR"); // HTTPS
    CHECK_STR(ask("db.front", DNS_TYPE_A), "NOERROR 10.99.0.3");
    CHECK_STR(ask("222222222222", DNS_TYPE_A), "NOERROR 10.99.0.3");
    const char *first = ask("www", DNS_TYPE_A), *second = ask("www", DNS_TYPE_A);
    CHECK(strcmp(first, second) != 0);
    CHECK_STR(strcmp(first, second) < 0 ? first : second, "NOERROR 10.99.0.2 10.99.0.3");
    CHECK_STR(strcmp(first, second) < 0 ? second : first, "NOERROR 10.99.0.3 10.99.0.2");
    CHECK_STR(ask("2.0.99.10.in-addr.arpa", DNS_TYPE_PTR), "NOERROR web");
    CHECK_STR(ask("9.0.99.10.in-addr.arpa", DNS_TYPE_PTR), "NXDOMAIN");
    CHECK_STR(ask("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.9.d.f.ip6.arpa", DNS_TYPE_PTR), "NOERROR web");
    CHECK_STR(ask_tcp("db", DNS_TYPE_A), "NOERROR 10.99.0.3");
    CHECK_STR(ask_from("fd99::2", "fd99::1", "web", DNS_TYPE_A, false, 2000), "NOERROR 10.99.0.2");
    CHECK_STR(ask_from("fd99::2", "fd99::1", "web", DNS_TYPE_A, true, 2000), "NOERROR 10.99.0.2");
    CHECK_STR(ask_from("127.0.0.1", "10.99.0.1", "web", DNS_TYPE_A, false, 300), "nothing"); // not of this network
    CHECK_STR(ask_from("127.0.0.1", "10.99.0.1", "web", DNS_TYPE_A, true, 300), "nothing");
}

CASE(the_c_librarys_resolver_finds_them) {
    CHECK(system("echo 'nameserver 10.99.0.1\noptions ndots:0' > /tmp/resolv.client && unshare -m sh -c 'mount --bind "
                 "/tmp/resolv.client "
                 "/etc/resolv.conf && getent ahostsv4 db | grep -q ^10.99.0.3 && getent ahosts web | grep -q ^fd99::2 && getent "
                 "hosts 10.99.0.2 | grep -q "
                 "web && ! getent hosts nx.example && busybox nslookup www | grep -q 10.99.0.3'; r=$?; rm -f /tmp/resolv.client; "
                 "exit $r") == 0);
}

CASE(unknown_ones_are_asked_of_others) {
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 11.11.11.11");
    CHECK_STR(ask("single", DNS_TYPE_A), "NOERROR 11.11.11.11");
    CHECK_STR(ask("nx.example", DNS_TYPE_A), "NXDOMAIN");
    CHECK_STR(ask("servfail.example", DNS_TYPE_A), "SERVFAIL");
    CHECK(answer.took_ms < NO_WAIT_MS);
    CHECK_STR(ask("spoof.example", DNS_TYPE_A), "NOERROR 11.11.11.11");
    CHECK(answer.took_ms >= 45);
    CHECK_STR(ask("big.example", DNS_TYPE_A),
              "NOERROR TC 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 "
              "11.11.11.11 (30)");
    CHECK_STR(ask_tcp("big.example", DNS_TYPE_A),
              "NOERROR 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 11.11.11.11 "
              "11.11.11.11 (1000)");
    CHECK_STR(ask_tcp("ok.example", DNS_TYPE_A), "NOERROR 11.11.11.11");
    CHECK_STR(ask_tcp("nx.example", DNS_TYPE_A), "NXDOMAIN");
    CHECK_STR(ask("7.7.7.7.in-addr.arpa", DNS_TYPE_PTR), "NOERROR 11.11.11.11");
}

CASE(an_answer_from_beside_is_whole_by_tcp) {
    const struct address address = address_of("10.99.0.2"), beside = address_of("127.0.0.12");
    const struct dns_endpoint endpoint = {
        .container = one, .names = (const char *[]){"web"}, .name_count = 1, .addresses = &address, .address_count = 1,
        .besides = &beside, .beside_count = 1};
    struct err err = {0};
    CHECK(dns_names_publish(endpoints_fd, &endpoint, &err) == 0);
    CHECK_STR(ask_tcp("ok.example", DNS_TYPE_A), "NOERROR 12.12.12.12");
    CHECK_STR(ask_tcp("big.example", DNS_TYPE_A),
              "NOERROR 12.12.12.12 12.12.12.12 12.12.12.12 12.12.12.12 12.12.12.12 12.12.12.12 12.12.12.12 "
              "12.12.12.12 (1000)");
    CHECK_INT(answer.bytes[2] & 1, 1); // as it was asked: others, too
    publish_both();
}

CASE(names_come_and_go_while_it_runs) {
    publish("3333", (const char *[]){"new"}, 1, "10.99.0.4", NULL);
    CHECK_STR(ask("new", DNS_TYPE_A), "NOERROR 10.99.0.4");
    publish("3333", (const char *[]){"newer"}, 1, "10.99.0.5", NULL);
    CHECK_STR(ask("newer", DNS_TYPE_A), "NOERROR 10.99.0.5");
    CHECK_STR(ask("new", DNS_TYPE_A), "NOERROR 11.11.11.11");
    dns_names_withdraw(endpoints_fd, "3333");
    CHECK_STR(ask("newer", DNS_TYPE_A), "NOERROR 11.11.11.11");
    for (int i = 0; i < 200; i++) { // never a moment in which the others are not there
        publish("3333", (const char *[]){"flicker"}, 1, "10.99.0.4", NULL);
        const char *seen = ask("db", DNS_TYPE_A);
        if (strcmp(seen, "NOERROR 10.99.0.3") != 0) {
            CHECK_STR(seen, "NOERROR 10.99.0.3");
            break;
        }
        dns_names_withdraw(endpoints_fd, "3333");
    }
}

CASE(dead_servers_cost_little_and_not_for_long) {
    servers("127.0.0.13", "127.0.0.12", NULL); // nobody there: told at once
    sleep_ms(1100);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 12.12.12.12");
    CHECK(answer.took_ms < NO_WAIT_MS);
    servers("127.0.0.14", "127.0.0.12", NULL); // one that is silent
    sleep_ms(1100);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 12.12.12.12");
    CHECK(answer.took_ms >= 450 && answer.took_ms < 1400);
    CHECK_STR(ask("nx.example", DNS_TYPE_A), "NXDOMAIN");
    CHECK(answer.took_ms >= 1400 && answer.took_ms < 2500);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 12.12.12.12"); // and is not waited for again
    CHECK(answer.took_ms < NO_WAIT_MS);
    CHECK_STR(ask("nx.example", DNS_TYPE_A), "NXDOMAIN");
    CHECK(answer.took_ms < NO_WAIT_MS);
    servers("127.0.0.11", "127.0.0.12", NULL); // one that cannot say
    sleep_ms(1100);
    CHECK_STR(ask("vpn.example", DNS_TYPE_A), "NOERROR 11.11.11.11");
    CHECK(answer.took_ms >= 850 && answer.took_ms < 1500);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 11.11.11.11"); // slow, not dead
    CHECK_STR(ask("servfail.example", DNS_TYPE_A), "SERVFAIL");
    CHECK(answer.took_ms < NO_WAIT_MS);
    servers("127.0.0.14", NULL, NULL);
    sleep_ms(1100);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "SERVFAIL");
    CHECK(answer.took_ms >= 3500 && answer.took_ms < 4900);
    CHECK_STR(ask_tcp("ok.example", DNS_TYPE_A), "SERVFAIL");
    CHECK_STR(ask("web", DNS_TYPE_A), "NOERROR 10.99.0.2");
    CHECK(answer.took_ms < NO_WAIT_MS);
    servers("10.99.0.1", NULL, NULL); // itself
    sleep_ms(1100);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "SERVFAIL");
    CHECK(answer.took_ms < NO_WAIT_MS);
}

CASE(the_hosts_own_resolver_is_asked_first_and_those_behind_it_then) {
    CHECK(mount("none", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/systemd", 0755) == 0 &&
          mkdir("/run/systemd/resolve", 0755) == 0);
    AUTO_FD int fd = open("/run/systemd/resolve/resolv.conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    static const char behind[] = "nameserver 127.0.0.12\n";
    CHECK(fd >= 0 && fd_write_all(fd, behind, sizeof(behind) - 1) == 0);
    servers("127.0.0.53", NULL, NULL);
    stop();
    start(true);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 12.12.12.12");
    static const uint8_t stub[] = {53, 53, 53, 53};
    upstream_start("127.0.0.53", stub);
    stop();
    start(true);
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 53.53.53.53");
    umount("/run");
}

CASE(hostile_bytes_change_nothing) {
    AUTO_FD int udp = bound("10.99.0.2", SOCK_DGRAM, 0);
    struct sockaddr_storage server;
    socklen_t size = name_of("10.99.0.1", &server, 53);
    uint8_t noise[2048];
    unsigned state = 7;
    for (int i = 0; i < 5000; i++) {
        size_t length = make_query("web.example", DNS_TYPE_A, noise);
        for (size_t at = 0; at < sizeof(noise); at++) {
            state = state * 1103515245 + 12345;
            if (i % 2 || state >> 28 == 0) {
                noise[at] = (uint8_t)(state >> 16);
            }
        }
        sendto(udp, noise, i % 2 ? state >> 21 : length, MSG_DONTWAIT, (struct sockaddr *)&server, size);
    }
    int streams[60];
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) { // more than it takes, half a query each
        streams[i] = bound("10.99.0.77", SOCK_STREAM, 0);
        CHECK(connect(streams[i], (struct sockaddr *)&server, size) == 0);
        (void)!write(streams[i], i % 2 ? "\0\100abc" : "\377\377", i % 2 ? 5 : 2);
    }
    CHECK_STR(ask_tcp("db", DNS_TYPE_A), "NOERROR 10.99.0.3"); // for others there is room
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        close(streams[i]);
    }
    servers("127.0.0.14", NULL, NULL);
    sleep_ms(1100);
    for (int i = 0; i < 300; i++) { // one who asks for everything at once
        size_t length = make_query(arena_format(&arena, "x%d.example", i), DNS_TYPE_A, noise);
        sendto(udp, noise, length, MSG_DONTWAIT, (struct sockaddr *)&server, size);
    }
    const char *seen = "nothing";
    for (int i = 0; i < 3 && strcmp(seen, "nothing") == 0; i++) { // the socket's queue may have been full, as resolvers know
        seen = ask_from("10.99.0.77", "10.99.0.1", "db", DNS_TYPE_A, false, 500);
    }
    CHECK_STR(seen, "NOERROR 10.99.0.3");
    servers("127.0.0.12", NULL, NULL);
    sleep_ms(1100);
    CHECK_STR(ask_from("10.99.0.77", "10.99.0.1", "ok.example", DNS_TYPE_A, false, 1000), "NOERROR 12.12.12.12");
    sleep_ms(4200);
    CHECK(!ended(0));
}

static const char *status_line(const char *file, const char *key) {
    char line[256];
    FILE *stream = fopen(arena_format(&arena, "/proc/%d/%s", responder_pid, file), "r");
    const char *value = "";
    while (stream && fgets(line, sizeof(line), stream)) {
        if (strncmp(line, key, strlen(key)) == 0) {
            value = arena_copy_string(&arena, line + strlen(key));
        }
    }
    if (stream) {
        fclose(stream);
    }
    return value;
}

CASE(it_has_nothing_and_takes_little) {
    stop();
    publish_both();
    start(true);
    ask("web", DNS_TYPE_A);
    ask("ok.example", DNS_TYPE_A);
    ask_tcp("db", DNS_TYPE_A);
    int64_t before_ms = clock_now_ms();
    for (int i = 0; i < 2000; i++) {
        ask("web", DNS_TYPE_A);
    }
    printf("# 2000 questions, each by a socket of its own, in %lld ms\n", (long long)(clock_now_ms() - before_ms));
    sleep_ms(50);
    CHECK_STR(status_line("status", "Name:"), "\tcoffer-dns\n");
    CHECK_STR(status_line("status", "Uid:"), "\t65534\t65534\t65534\t65534\n");
    CHECK_STR(status_line("status", "Groups:"), "\t \n");
    CHECK_STR(status_line("status", "CapPrm:"), "\t0000000000000000\n");
    CHECK_STR(status_line("status", "NoNewPrivs:"), "\t1\n");
    char root[PATH_MAX];
    ssize_t length = readlink(arena_format(&arena, "/proc/%d/root", responder_pid), root, sizeof(root) - 1);
    CHECK(length > 9 && memcmp(root + length - 9, "endpoints", 9) == 0);
    if (cgroup_fd >= 0) {
        CHECK_STR(status_line("cgroup", "0::"), "/coffer-dns-test\n");
    }
    int descriptors = 0;
    AUTO_DIR DIR *stream = opendir(arena_format(&arena, "/proc/%d/fd", responder_pid));
    while (stream && dir_next(stream)) {
        descriptors++;
    }
    CHECK_INT(descriptors, 3 + 4 + 4 + 1); // /dev/null; directories and the lock; sockets; the watch
    int kept = atoi(status_line("smaps_rollup", "Private_Clean:")) + atoi(status_line("smaps_rollup", "Private_Dirty:"));
    printf("# private memory: %d kB, resident: %d kB\n", kept, atoi(status_line("smaps_rollup", "Rss:")));
#ifdef __SANITIZE_ADDRESS__
    SKIP("the sanitiser has memory and calls of its own");
#endif
    CHECK_STR(status_line("status", "Seccomp:"), "\t2\n");
    CHECK(kept > 0 && kept < 300);
}

CASE(there_is_one_and_it_ends_with_the_last_endpoint) {
    pid_t before = responder_pid;
    start(true);
    CHECK_INT(responder_pid, before);
    CHECK_INT(dns_find(network_fd, NULL), before);
    stop(); // killed: the next command starts another
    CHECK_INT(dns_find(network_fd, NULL), 0);
    start(true);
    CHECK(responder_pid != before);
    dns_names_withdraw(endpoints_fd, one);
    CHECK(!ended(100));
    CHECK_STR(ask("db", DNS_TYPE_A), "NOERROR 10.99.0.3");
    dns_names_withdraw(endpoints_fd, two);
    CHECK(ended(2000));
    struct err err = {0};
    struct dns_request request = request_of(true);
    CHECK(dns_start(&request, NULL, &err) < 0);
    CHECK_STR(err.text, "names of network front: there is no container to answer for");
}

// One ends while another begins: whoever has published is answered.
CASE(no_endpoint_is_left_without_it) {
    int64_t spent_ms = 0;
    for (int i = 0; i < 200; i++) {
        publish_both();
        int64_t before_ms = clock_now_ms();
        start(true);
        spent_ms += clock_now_ms() - before_ms;
        const char *seen = ask("db", DNS_TYPE_A);
        if (strcmp(seen, "NOERROR 10.99.0.3") != 0) {
            CHECK_STR(seen, "NOERROR 10.99.0.3");
            break;
        }
        dns_names_withdraw(endpoints_fd, one);
        dns_names_withdraw(endpoints_fd, two);
        if (i % 3 == 0) {
            sched_yield();
        } else if (i % 3 == 1) {
            sleep_ms(1);
        }
    }
    CHECK(ended(2000));
    printf("# started 200 times in %lld ms\n", (long long)spent_ms);
}

CASE(an_internal_network_asks_nobody) {
    servers("127.0.0.11", NULL, NULL);
    publish_both();
    start(false);
    CHECK_STR(ask("web", DNS_TYPE_A), "NOERROR 10.99.0.2");
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NXDOMAIN");
    CHECK_STR(ask("7.7.7.7.in-addr.arpa", DNS_TYPE_PTR), "NXDOMAIN");
    stop();
}

CASE(what_cannot_be_is_told) {
    struct err err = {0};
    struct dns_request request = request_of(true);
    AUTO_FD int other = bound("0.0.0.0", SOCK_DGRAM, 53);
    CHECK(dns_start(&request, NULL, &err) < 0);
    CHECK_STR(err.text, "names of network front: port 53 of 10.99.0.1 is taken: a name server of this host seems to listen on all "
                        "addresses; let it "
                        "listen on its own, or make the network with --disable-dns");
    fd_close(&other);
    // Elsewhere: the address is not even there yet.
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(unshare(CLONE_NEWNET) == 0);
    AUTO_FD int there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(setns(here, CLONE_NEWNET) == 0);
    request.netns_fd = there;
    responder_pid = dns_start(&request, &responder_pidfd, &err);
    CHECK(responder_pid > 0);
    CHECK(setns(there, CLONE_NEWNET) == 0);
    CHECK(system("ip link set lo up && ip addr add 10.99.0.1/24 dev lo && ip addr add 10.99.0.2/24 dev lo") == 0);
    CHECK_STR(ask("web", DNS_TYPE_A), "NOERROR 10.99.0.2");
    CHECK_STR(ask("ok.example", DNS_TYPE_A), "NOERROR 11.11.11.11"); // asked from where it was started
    CHECK(setns(here, CLONE_NEWNET) == 0);
    CHECK(unlinkat(endpoints_fd, one, 0) == 0 && unlinkat(endpoints_fd, two, 0) == 0 &&
          rmdir(path("endpoints")) == 0); // the network is removed
    CHECK(ended(2000));
}

// As containers do it: from another namespace, over a bridge, which may go and come again.
CASE(containers_ask_across_a_bridge) {
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t container = fork();
    if (container == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1 || pause());
    }
    CHECK(read(ready[0], &(char){0}, 1) == 1);
    AUTO_FD int there = open(arena_format(&arena, "/proc/%d/ns/net", container), O_RDONLY | O_CLOEXEC);
    const struct subnet subnet = subnet_of("10.98.0.0/24");
    const struct address gateway = address_of("10.98.0.1");
    struct dns_request request = request_of(true);
    struct err err = {0};
    request.subnets = &subnet;
    request.gateways = &gateway;
    request.count = 1;
    CHECK(mkdir(path("endpoints"), 0755) == 0);
    endpoints_fd = open(path("endpoints"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    publish(one, (const char *[]){"web"}, 1, "10.98.0.2", NULL);
    fd_close(&responder_pidfd);
    CHECK(dns_start(&request, &responder_pidfd, &err) > 0); // before there is a bridge
    for (int i = 0; i < 2; i++) {
        CHECK(system(
                  arena_format(&arena,
                               "ip link add br98 type bridge && ip addr add 10.98.0.1/24 dev br98 && ip link set br98 up && "
                               "ip link add v98 type veth peer name eth0 netns %d && ip link set v98 master br98 up && "
                               "nsenter -t %d -n sh -c 'ip link set lo up; ip addr add 10.98.0.2/24 dev eth0; ip link set eth0 up'",
                               container, container)) == 0);
        CHECK(setns(there, CLONE_NEWNET) == 0);
        CHECK_STR(ask_from("10.98.0.2", "10.98.0.1", "web", DNS_TYPE_A, false, 3000), "NOERROR 10.98.0.2");
        CHECK_STR(ask_from("10.98.0.2", "10.98.0.1", "web", DNS_TYPE_A, true, 3000), "NOERROR 10.98.0.2");
        CHECK_STR(ask_from("10.98.0.2", "10.98.0.1", "ok.example", DNS_TYPE_A, false, 3000), "NOERROR 11.11.11.11");
        CHECK(setns(here, CLONE_NEWNET) == 0);
        CHECK(system("ip link del v98 && ip link del br98") == 0);
    }
    dns_names_withdraw(endpoints_fd, one);
    CHECK(ended(2000) && rmdir(path("endpoints")) == 0);
    kill(container, SIGKILL);
    waitpid(container, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

static int prepare(void) {
    static const uint8_t eleven[] = {11, 11, 11, 11}, twelve[] = {12, 12, 12, 12};
    char resolv[PATH_MAX];
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        return -1;
    }
    write_file("resolv", "");
    if (!realpath("/etc/resolv.conf", resolv) || mount(path("resolv"), resolv, NULL, MS_BIND, NULL) < 0 ||
        system("ip link set lo up && for a in 10.99.0.1/24 10.99.0.2/24 10.99.0.77/24; do ip addr add $a dev lo || exit 1; done && "
               "ip addr add "
               "fd99::1/64 dev lo nodad && ip addr add fd99::2/64 dev lo nodad") != 0) {
        return -1;
    }
    upstream_start("127.0.0.11", eleven);
    upstream_start("127.0.0.12", twelve);
    upstream_start("127.0.0.14", NULL);
    if (access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 && mkdir("/sys/fs/cgroup/coffer-dns-test", 0755) == 0) {
        cgroup_fd = open("/sys/fs/cgroup/coffer-dns-test", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    mkdir(path("endpoints"), 0755);
    network_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    endpoints_fd = open(path("endpoints"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return network_fd < 0 || endpoints_fd < 0 ? -1 : 0;
}

CASE(needs_root) {
    SKIP("needs root and namespaces");
}

int main(void) {
    if (!mkdtemp(folder)) {
        return 1;
    }
    if (geteuid() != 0 || prepare() < 0) {
        RUN(needs_root);
        return check_done();
    }
    RUN(known_names_are_answered);
    RUN(the_c_librarys_resolver_finds_them);
    RUN(unknown_ones_are_asked_of_others);
    RUN(an_answer_from_beside_is_whole_by_tcp);
    RUN(names_come_and_go_while_it_runs);
    RUN(dead_servers_cost_little_and_not_for_long);
    RUN(the_hosts_own_resolver_is_asked_first_and_those_behind_it_then);
    RUN(hostile_bytes_change_nothing);
    RUN(it_has_nothing_and_takes_little);
    RUN(there_is_one_and_it_ends_with_the_last_endpoint);
    RUN(no_endpoint_is_left_without_it);
    RUN(an_internal_network_asks_nobody);
    RUN(what_cannot_be_is_told);
    RUN(containers_ask_across_a_bridge);
    if (cgroup_fd >= 0) {
        rmdir("/sys/fs/cgroup/coffer-dns-test");
    }
    unlink(path("resolv"));
    unlink(path("dns.lock"));
    rmdir(folder);
    fd_close(&responder_pidfd);
    arena_finish(&arena);
    return check_done();
}
