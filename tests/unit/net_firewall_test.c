// The packet filter's table, by packets that meet it: a host with two networks and an internal one, and neighbours outside that know no way
// to the containers.
#include "tests/unit/net_lab.h"

#include "runtime/base/arena.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/net/conntrack.h"
#include "runtime/net/firewall.h"
#include "runtime/net/foreign_filter.h"
#include "runtime/net/sysctl.h"

#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <sys/wait.h>

static const char *no_lab;
static bool has_nft;
static int filter = -1; // the socket
static int outside, router, a1, a2, b1, i1, i2; // namespaces

static bool run(const char *command) {
    int status = system(command);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// What a command prints, of which the next call's takes the place.
static const char *output_of(const char *command) {
    static char text[262144];
    FILE *pipe = popen(command, "r");
    size_t size = fread(text, 1, sizeof(text) - 1, pipe);
    text[size] = '\0';
    pclose(pipe);
    return text;
}

static struct subnet subnet_of(const char *text) {
    struct subnet subnet = {0};
    struct err err = {0};
    CHECK_INT(subnet_parse("test", text, &subnet, &err), 0);
    return subnet;
}

static void set_network(const char *bridge, const char *ipv4, const char *ipv6, bool internal, bool there) {
    const struct subnet subnets[] = {subnet_of(ipv4), subnet_of(ipv6)};
    const struct firewall_network network = {.bridge = bridge, .subnets = subnets, .subnet_count = 2, .masquerade = true, .internal = internal};
    struct err err = {0};
    if ((there ? firewall_network_add : firewall_network_remove)(filter, &network, &err) < 0) {
        printf("# %s\n", err.text);
        check_state.case_failed = 1;
    }
}

static void set_networks(bool there) {
    set_network("cf-a", "10.80.0.0/24", "fd80::/64", false, there);
    set_network("cf-b", "10.81.0.0/24", "fd81::/64", false, there);
    set_network("cf-int", "10.82.0.0/24", "fd82::/64", true, there);
}

static struct firewall_port port_of(uint8_t protocol, const char *host, uint16_t host_port, const char *target, uint16_t target_port) {
    return (struct firewall_port){.protocol = protocol,
                                  .host = host ? lab_address(host) : (struct address){0},
                                  .host_port = host_port,
                                  .target = lab_address(target),
                                  .target_port = target_port};
}

static void set_ports(const struct firewall_port *ports, size_t count, const char *owner) {
    struct err err = {0};
    if ((owner ? firewall_publish(filter, ports, count, owner, &err) : firewall_unpublish(filter, ports, count, &err)) < 0) {
        printf("# %s\n", err.text);
        check_state.case_failed = 1;
    }
}

static bool build(void) {
    struct err err = {0};
    struct sysctl_changes changes;
    bool fresh;
    const char *reason = NULL;
    if (!lab_enter(&reason)) {
        no_lab = reason;
        return false;
    }
    filter = firewall_open(&err);
    if (filter < 0 || firewall_ensure(filter, &fresh, &err) < 0) {
        printf("# %s\n", err.text);
        no_lab = "this kernel has no nf_tables";
        return false;
    }
    CHECK(fresh);
    CHECK(firewall_ensure(filter, &fresh, &err) == 0 && fresh); // as long as not all is told
    CHECK_INT(firewall_settle(filter, &err), 0);
    CHECK_INT(firewall_settle(filter, &err), 0);
    CHECK_INT(sysctl_forward(true, true, &changes, &err), 0);
    CHECK(lab_bridge("lan", "192.0.2.1", "2001:db8::1") > 0 && lab_bridge("cf-a", "10.80.0.1", "fd80::1") > 0 &&
          lab_bridge("cf-b", "10.81.0.1", "fd81::1") > 0 && lab_bridge("cf-int", "10.82.0.1", "fd82::1") > 0);
    CHECK_INT(sysctl_route_localnet("cf-a", &err), 0);
    outside = lab_host(&(struct lab_host){"lan", "lan0", "192.0.2.2", "2001:db8::2", NULL, NULL});
    router = lab_host(&(struct lab_host){"lan", "lan1", "192.0.2.3", "2001:db8::3", "192.0.2.1", "2001:db8::1"});
    a1 = lab_host(&(struct lab_host){"cf-a", "a1", "10.80.0.2", "fd80::2", "10.80.0.1", "fd80::1"});
    a2 = lab_host(&(struct lab_host){"cf-a", "a2", "10.80.0.3", "fd80::3", "10.80.0.1", "fd80::1"});
    b1 = lab_host(&(struct lab_host){"cf-b", "b1", "10.81.0.2", "fd81::2", "10.81.0.1", "fd81::1"});
    // Of an internal network too, as if somebody within had set a route.
    i1 = lab_host(&(struct lab_host){"cf-int", "i1", "10.82.0.2", "fd82::2", "10.82.0.1", "fd82::1"});
    i2 = lab_host(&(struct lab_host){"cf-int", "i2", "10.82.0.3", "fd82::3", "10.82.0.1", "fd82::1"});
    CHECK(outside >= 0 && router >= 0 && a1 >= 0 && a2 >= 0 && b1 >= 0 && i1 >= 0 && i2 >= 0);
    set_networks(true);
    return true;
}

CASE(the_lab_is_built) {
    if (!build()) {
        SKIP(no_lab);
    }
}

CASE(it_is_made_once_and_repaired) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    bool fresh = true;
    CHECK_INT(firewall_ensure(filter, &fresh, &err), 0);
    CHECK(!fresh);
    if (!has_nft) {
        SKIP("needs nft(8) to damage it");
    }
    static const char *const damages[] = {"nft flush chain inet coffer forward", "nft flush table inet coffer",
                                          "nft flush chain inet coffer publish", "nft add rule inet coffer early drop",
                                          "nft add chain inet coffer other"};
    for (size_t i = 0; i < ARRAY_LEN(damages) - 1; i++) {
        AUTO_FREE char *before = mem_copy_string(output_of("nft list table inet coffer"));
        CHECK(run(damages[i]));
        CHECK(strcmp(output_of("nft list table inet coffer"), before) != 0);
        CHECK_INT(firewall_ensure(filter, &fresh, &err), 0);
        CHECK(fresh);
        CHECK_INT(firewall_settle(filter, &err), 0);
        CHECK_STR(output_of("nft list table inet coffer"), before);
    }
}

CASE(out_goes_everything_behind_the_host) {
    if (no_lab) {
        SKIP(no_lab);
    }
    char seen[ADDRESS_TEXT_SIZE];
    AUTO_FD int tcp = lab_serve(outside, SOCK_STREAM, "192.0.2.2", 80), tcp6 = lab_serve(outside, SOCK_STREAM, "2001:db8::2", 80);
    AUTO_FD int udp = lab_serve(outside, SOCK_DGRAM, "192.0.2.2", 53);
    CHECK(lab_stream(a1, "192.0.2.2", 80, tcp, seen));
    CHECK_STR(seen, "192.0.2.1");
    CHECK(lab_stream(b1, "2001:db8::2", 80, tcp6, seen));
    CHECK_STR(seen, "2001:db8::1");
    AUTO_FD int client = lab_connect(a2, SOCK_DGRAM, "192.0.2.2", 53, LAB_WAIT_MS);
    CHECK(lab_ask(client, udp, LAB_WAIT_MS, seen));
    CHECK_STR(seen, "192.0.2.1");
    // Within a network nobody is hidden.
    AUTO_FD int neighbour = lab_serve(a2, SOCK_STREAM, "10.80.0.3", 80);
    CHECK(lab_stream(a1, "10.80.0.3", 80, neighbour, seen));
    CHECK_STR(seen, "10.80.0.2");
}

static bool set_setting(const char *path, char value) {
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, &value, 1) == 1;
}

struct web {
    int tcp, tcp6, udp; // what a1 serves on 10.80.0.2:80, [fd80::2]:80, 10.80.0.2:53/udp; all published as 8080
};

static void ask_from_outside(const struct web *web) {
    char seen[ADDRESS_TEXT_SIZE];
    CHECK(lab_stream(outside, "192.0.2.1", 8080, web->tcp, seen));
    CHECK_STR(seen, "192.0.2.2"); // the sender's own address
    CHECK(lab_stream(outside, "2001:db8::1", 8080, web->tcp6, seen));
    CHECK_STR(seen, "2001:db8::2");
    AUTO_FD int asker = lab_connect(outside, SOCK_DGRAM, "192.0.2.1", 8080, LAB_WAIT_MS);
    CHECK(lab_ask(asker, web->udp, LAB_WAIT_MS, seen));
    CHECK_STR(seen, "192.0.2.2");
}

static void ask_from_the_host(const struct web *web) {
    char seen[ADDRESS_TEXT_SIZE];
    CHECK(lab_stream(-1, "192.0.2.1", 8080, web->tcp, seen));
    CHECK_STR(seen, "192.0.2.1");
    CHECK(lab_stream(-1, "2001:db8::1", 8080, web->tcp6, seen));
    CHECK(lab_stream(-1, "127.0.0.1", 8080, web->tcp, seen));
    CHECK_STR(seen, "10.80.0.1");
    AUTO_FD int local = lab_connect(-1, SOCK_DGRAM, "127.0.0.1", 8080, LAB_WAIT_MS);
    CHECK(lab_ask(local, web->udp, LAB_WAIT_MS, seen));
    // Nothing waits where nothing can come.
    CHECK_INT(lab_connect(-1, SOCK_STREAM, "::1", 8080, LAB_WAIT_MS), -1);
    CHECK_INT(errno, ECONNREFUSED);
}

// The container itself, its neighbour, and another network.
static void ask_from_containers(const struct web *web) {
    static const struct {
        const int *from;
        const char *to, *seen_as;
        bool ipv6;
    } rows[] = {{&a1, "192.0.2.1", "10.80.0.1", false}, {&a1, "10.80.0.1", "10.80.0.1", false}, {&a1, "2001:db8::1", "fd80::1", true},
                {&a2, "192.0.2.1", "10.80.0.1", false}, {&a2, "10.80.0.1", "10.80.0.1", false}, {&a2, "fd80::1", "fd80::1", true},
                {&b1, "192.0.2.1", "10.81.0.2", false}, {&b1, "2001:db8::1", "fd81::2", true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char seen[ADDRESS_TEXT_SIZE];
        bool answered = lab_stream(*rows[i].from, rows[i].to, 8080, rows[i].ipv6 ? web->tcp6 : web->tcp, seen);
        if (!answered || strcmp(seen, rows[i].seen_as) != 0) {
            printf("# row %zu: seen as \"%s\"\n", i, seen);
            check_state.case_failed = 1;
        }
    }
}

CASE(a_published_port_answers_everywhere) {
    if (no_lab) {
        SKIP(no_lab);
    }
    const struct firewall_port ports[] = {port_of(IPPROTO_TCP, NULL, 8080, "10.80.0.2", 80), port_of(IPPROTO_TCP, NULL, 8080, "fd80::2", 80),
                                          port_of(IPPROTO_UDP, NULL, 8080, "10.80.0.2", 53)};
    AUTO_FD int tcp = lab_serve(a1, SOCK_STREAM, "10.80.0.2", 80), tcp6 = lab_serve(a1, SOCK_STREAM, "fd80::2", 80);
    AUTO_FD int udp = lab_serve(a1, SOCK_DGRAM, "10.80.0.2", 53);
    const struct web web = {tcp, tcp6, udp};
    CHECK_INT(lab_connect(outside, SOCK_STREAM, "192.0.2.1", 8080, LAB_WAIT_MS), -1);
    CHECK_INT(errno, ECONNREFUSED);
    set_ports(ports, ARRAY_LEN(ports), "web");
    // With bridged packets meeting the filter, and without: a module that other programs load decides.
    for (char value = '0'; value <= '1'; value++) {
        if (!set_setting("/proc/sys/net/bridge/bridge-nf-call-iptables", value) ||
            !set_setting("/proc/sys/net/bridge/bridge-nf-call-ip6tables", value)) {
            printf("# no br_netfilter here\n");
        }
        ask_from_outside(&web);
        ask_from_the_host(&web);
        ask_from_containers(&web);
    }
    set_ports(ports, ARRAY_LEN(ports), NULL);
    CHECK_INT(lab_connect(outside, SOCK_STREAM, "192.0.2.1", 8080, LAB_WAIT_MS), -1);
    CHECK_INT(errno, ECONNREFUSED);
}

CASE(an_address_of_the_host_has_ports_of_its_own) {
    if (no_lab) {
        SKIP(no_lab);
    }
    char seen[ADDRESS_TEXT_SIZE];
    const struct firewall_port ports[] = {
        port_of(IPPROTO_TCP, "192.0.2.1", 81, "10.80.0.2", 80), port_of(IPPROTO_TCP, "127.0.0.1", 82, "10.80.0.2", 80),
        port_of(IPPROTO_TCP, "2001:db8::1", 81, "fd80::2", 80),
        // The address that is told wins over all of them.
        port_of(IPPROTO_TCP, NULL, 83, "10.80.0.3", 80), port_of(IPPROTO_TCP, "192.0.2.1", 83, "10.80.0.2", 80)};
    AUTO_FD int first = lab_serve(a1, SOCK_STREAM, "10.80.0.2", 80), first6 = lab_serve(a1, SOCK_STREAM, "fd80::2", 80);
    AUTO_FD int second = lab_serve(a2, SOCK_STREAM, "10.80.0.3", 80);
    set_ports(ports, ARRAY_LEN(ports), "web");
    CHECK(lab_stream(outside, "192.0.2.1", 81, first, seen));
    CHECK(lab_stream(outside, "2001:db8::1", 81, first6, seen));
    CHECK_INT(lab_connect(-1, SOCK_STREAM, "127.0.0.1", 81, LAB_WAIT_MS), -1);
    CHECK(lab_stream(-1, "127.0.0.1", 82, first, seen));
    CHECK_INT(lab_connect(outside, SOCK_STREAM, "192.0.2.1", 82, LAB_WAIT_MS), -1);
    CHECK(lab_stream(outside, "192.0.2.1", 83, first, seen));
    CHECK(lab_stream(-1, "127.0.0.1", 83, second, seen));
    set_ports(ports, ARRAY_LEN(ports), NULL);
}

// A datagram with any addresses in it, put on the wire between a namespace and the host.
static void forge(int netns, const char *bridge, const char *from, const char *to, uint16_t port) {
    struct {
        struct iphdr ip;
        struct udphdr udp;
        char byte[2];
    } packet = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(sizeof(packet))},
                .udp = {.source = htons(4242), .dest = htons(port), .len = htons(sizeof(packet) - sizeof(struct iphdr))},
                .byte = "x"};
    struct address source = lab_address(from), target = lab_address(to), gateway;
    memcpy(&packet.ip.saddr, source.bytes, 4);
    memcpy(&packet.ip.daddr, target.bytes, 4);
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(packet.ip) / 2; i++) {
        uint16_t half;
        memcpy(&half, (const char *)&packet.ip + 2 * i, 2);
        sum += half;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    packet.ip.check = (uint16_t)~(sum + (sum >> 16));
    struct sockaddr_ll host = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_halen = MAC_SIZE};
    gateway = lab_address(bridge);
    link_mac_of(&gateway, host.sll_addr);
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK_INT(setns(netns, CLONE_NEWNET), 0);
    host.sll_ifindex = (int)if_nametoindex("eth0");
    AUTO_FD int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_INT(sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&host, sizeof(host)), sizeof(packet));
    CHECK_INT(setns(here, CLONE_NEWNET), 0);
}

static bool received(int server, int timeout_ms) {
    char byte[16];
    return lab_ready(server, POLLIN, timeout_ms) && read(server, byte, sizeof(byte)) > 0;
}

CASE(what_is_for_the_host_alone_is_not_for_neighbours) {
    if (no_lab) {
        SKIP(no_lab);
    }
    const struct firewall_port port = port_of(IPPROTO_UDP, "127.0.0.1", 5353, "10.80.0.2", 53);
    const struct firewall_port open_port = port_of(IPPROTO_UDP, "192.0.2.1", 5354, "10.80.0.2", 53);
    AUTO_FD int server = lab_serve(a1, SOCK_DGRAM, "10.80.0.2", 53), local = lab_serve(-1, SOCK_DGRAM, "127.0.0.1", 9999);
    AUTO_FD int gateway = lab_serve(-1, SOCK_DGRAM, "10.80.0.1", 9999);
    set_ports(&port, 1, "dns");
    set_ports(&open_port, 1, "dns");
    forge(outside, "192.0.2.1", "192.0.2.2", "127.0.0.1", 5353);
    CHECK(!received(server, LAB_NOTHING_MS));
    forge(outside, "192.0.2.1", "192.0.2.2", "192.0.2.1", 5354); // what is forged does arrive, then
    CHECK(received(server, LAB_WAIT_MS));
    // The bridge has route_localnet, so that a container could reach what listens on the host's 127.0.0.1.
    forge(a2, "10.80.0.1", "10.80.0.3", "127.0.0.1", 9999);
    forge(a2, "10.80.0.1", "127.0.0.1", "127.0.0.1", 9999);
    forge(a2, "10.80.0.1", "10.80.0.3", "127.0.0.1", 5353);
    CHECK(!received(local, LAB_NOTHING_MS));
    CHECK(!received(server, LAB_NOTHING_MS));
    forge(a2, "10.80.0.1", "10.80.0.3", "10.80.0.1", 9999);
    CHECK(received(gateway, LAB_WAIT_MS));
    set_ports(&port, 1, NULL);
    set_ports(&open_port, 1, NULL);
}

CASE(networks_do_not_reach_each_other) {
    if (no_lab) {
        SKIP(no_lab);
    }
    char seen[ADDRESS_TEXT_SIZE];
    AUTO_FD int a = lab_serve(a1, SOCK_STREAM, "10.80.0.2", 80), a_6 = lab_serve(a1, SOCK_STREAM, "fd80::2", 80);
    CHECK(lab_stream(a2, "10.80.0.2", 80, a, seen));
    CHECK(lab_stream(a2, "fd80::2", 80, a_6, seen));
    CHECK_INT(lab_connect(b1, SOCK_STREAM, "10.80.0.2", 80, LAB_NOTHING_MS), -1);
    CHECK_INT(errno, ETIMEDOUT);
    CHECK_INT(lab_connect(b1, SOCK_STREAM, "fd80::2", 80, LAB_NOTHING_MS), -1);
    CHECK_INT(errno, ETIMEDOUT);
    // Nor does a neighbour of the host who knows the way, but the host itself.
    CHECK_INT(lab_connect(router, SOCK_STREAM, "10.80.0.2", 80, LAB_NOTHING_MS), -1);
    CHECK_INT(errno, ETIMEDOUT);
    CHECK_INT(lab_connect(router, SOCK_STREAM, "fd80::2", 80, LAB_NOTHING_MS), -1);
    CHECK_INT(errno, ETIMEDOUT);
    CHECK(lab_stream(-1, "10.80.0.2", 80, a, seen));
}

CASE(an_internal_network_is_closed) {
    if (no_lab) {
        SKIP(no_lab);
    }
    char seen[ADDRESS_TEXT_SIZE];
    const struct firewall_port ports[] = {port_of(IPPROTO_TCP, NULL, 8082, "10.82.0.2", 80), port_of(IPPROTO_TCP, NULL, 8083, "10.80.0.2", 80)};
    AUTO_FD int inside = lab_serve(i1, SOCK_STREAM, "10.82.0.2", 80), inside6 = lab_serve(i1, SOCK_STREAM, "fd82::2", 80);
    AUTO_FD int out = lab_serve(outside, SOCK_STREAM, "192.0.2.2", 80), a = lab_serve(a1, SOCK_STREAM, "10.80.0.2", 80);
    AUTO_FD int names = lab_serve(-1, SOCK_STREAM, "10.82.0.1", 53);
    set_ports(ports, ARRAY_LEN(ports), "inside");
    CHECK(lab_stream(i2, "10.82.0.2", 80, inside, seen));
    CHECK(lab_stream(i2, "fd82::2", 80, inside6, seen));
    CHECK(lab_stream(i2, "10.82.0.1", 53, names, seen)); // names are still told
    static const struct {
        const int *from;
        const char *to;
        uint16_t port;
    } closed[] = {{&i1, "192.0.2.2", 80},   {&i1, "2001:db8::2", 80}, {&i1, "10.80.0.2", 80},      {&i1, "192.0.2.1", 8083},
                  {&a1, "10.82.0.2", 80},   {&router, "fd82::2", 80}, {&outside, "192.0.2.1", 8082}, {&router, "10.82.0.2", 80}};
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        int fd = lab_connect(*closed[i].from, SOCK_STREAM, closed[i].to, closed[i].port, LAB_NOTHING_MS);
        if (fd >= 0 || errno != ETIMEDOUT) {
            printf("# row %zu: %d, %s\n", i, fd, strerror(errno));
            check_state.case_failed = 1;
        }
    }
    CHECK(lab_stream(outside, "192.0.2.1", 8083, a, seen));
    CHECK(out >= 0);
    set_ports(ports, ARRAY_LEN(ports), NULL);
}

static size_t port_count(const char **ret_owner) {
    AUTO_ARENA struct arena arena = {0};
    static char owner[FIREWALL_OWNER_SIZE];
    struct firewall_state state = {0};
    struct err err = {0};
    CHECK_INT(firewall_read(filter, &arena, &state, &err), 0);
    snprintf(owner, sizeof(owner), "%s", state.port_count ? state.ports[0].owner : "");
    *ret_owner = owner;
    return state.port_count;
}

CASE(ranges_are_taken_as_a_whole) {
    if (no_lab) {
        SKIP(no_lab);
    }
    char seen[ADDRESS_TEXT_SIZE];
    const char *owner;
    struct firewall_port range = port_of(IPPROTO_TCP, NULL, 30000, "10.80.0.2", 20000);
    range.count = 3000;
    AUTO_FD int first = lab_serve(a1, SOCK_STREAM, "10.80.0.2", 20000), last = lab_serve(a1, SOCK_STREAM, "10.80.0.2", 22999);
    set_ports(&range, 1, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    CHECK_INT(port_count(&owner), 3000);
    CHECK_STR(owner, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    CHECK(lab_stream(outside, "192.0.2.1", 30000, first, seen));
    CHECK(lab_stream(outside, "192.0.2.1", 32999, last, seen));
    CHECK_INT(lab_connect(outside, SOCK_STREAM, "192.0.2.1", 33000, LAB_WAIT_MS), -1);
    // One in the middle is taken: none of them is published.
    struct err err = {0};
    struct firewall_port other = port_of(IPPROTO_TCP, NULL, 32990, "10.80.0.3", 20);
    other.count = 20;
    CHECK_INT(firewall_publish(filter, &other, 1, "other", &err), -1);
    CHECK_INT(err.kind, ERR_EXISTS);
    CHECK(strstr(err.text, "/tcp: it is published for container 0123456789abcdef") != NULL);
    CHECK_INT(port_count(&owner), 3000);
    // Of a range to take back, what leads elsewhere by now stays.
    set_ports(&range, 1, NULL);
    other.host_port = 30001;
    other.count = 1;
    set_ports(&other, 1, "other");
    set_ports(&range, 1, NULL);
    CHECK_INT(port_count(&owner), 1);
    CHECK_STR(owner, "other");
    set_ports(&other, 1, NULL);
    CHECK_INT(port_count(&owner), 0);
}

CASE(a_taken_port_names_its_owner) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    const struct firewall_port ports[] = {port_of(IPPROTO_TCP, NULL, 8080, "10.80.0.2", 80), port_of(IPPROTO_TCP, NULL, 8080, "10.80.0.3", 80),
                                          port_of(IPPROTO_UDP, "192.0.2.1", 53, "10.80.0.2", 53),
                                          port_of(IPPROTO_UDP, "192.0.2.1", 53, "10.80.0.2", 54)};
    set_ports(&ports[0], 1, "web");
    set_ports(&ports[0], 1, "web");
    set_ports(&ports[2], 1, "dns");
    CHECK_INT(firewall_publish(filter, &ports[1], 1, "other", &err), -1);
    CHECK_STR(err.text, "publish port 8080/tcp: it is published for container web already");
    CHECK_INT(err.kind, ERR_EXISTS);
    CHECK_INT(firewall_publish(filter, &ports[3], 1, "other", &err), -1);
    CHECK_STR(err.text, "publish port 192.0.2.1:53/udp: it is published for container dns already");
    set_ports(&ports[0], 1, NULL);
    set_ports(&ports[0], 1, NULL);
    set_ports(&ports[2], 1, NULL);
}

CASE(nft_shows_it_in_its_own_words) {
    if (no_lab) {
        SKIP(no_lab);
    }
    if (!has_nft) {
        SKIP("needs nft(8)");
    }
    const struct firewall_port ports[] = {
        port_of(IPPROTO_TCP, NULL, 8080, "10.80.0.2", 80), port_of(IPPROTO_UDP, "192.0.2.1", 53, "10.80.0.2", 5353),
        port_of(IPPROTO_TCP, NULL, 8080, "fd80::2", 80), port_of(IPPROTO_TCP, "2001:db8::1", 443, "fd80::2", 8443)};
    static const char *const words[] = {
        "comment \"coffer networks, version 3\"",
        "elements = { 10.80.0.0/24, 10.81.0.0/24 }",
        "elements = { fd80::/64,\n\t\t\t     fd81::/64 }",
        "elements = { \"cf-int\" }",
        "elements = { tcp . 8080 comment \"web\" : 10.80.0.2 . 80 }",
        "elements = { udp . 192.0.2.1 . 53 comment \"web\" : 10.80.0.2 . 5353 }",
        "elements = { tcp . 8080 comment \"web\" : fd80::2 . 80 }",
        "elements = { tcp . 2001:db8::1 . 443 comment \"web\" : fd80::2 . 8443 }",
        "iifname \"cot-*\" drop",
        "iifname @bridges ip daddr 127.0.0.0/8 drop",
        "ip daddr != 127.0.0.0/8 fib daddr type local jump publish",
        "dnat ip to meta l4proto . ip daddr . th dport map @publish4",
        "dnat ip6 to meta l4proto . th dport map @publish6_any",
        "oifname @bridges ct status dnat ip saddr . ip daddr @hairpin4 masquerade",
        "iifname . oifname @within accept",
        "elements = { 10.80.0.0/24 . 10.80.0.0/24",
        "ip saddr @masquerade4 oifname != @bridges masquerade",
        "oifname @bridges ct state established,related accept",
    };
    set_ports(ports, ARRAY_LEN(ports), "web");
    const char *listed = output_of("nft list table inet coffer");
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!strstr(listed, words[i])) {
            printf("# not listed: %s\n", words[i]);
            all = false;
        }
    }
    CHECK(all);
    if (!all) {
        for (char *line = strtok((char *)(uintptr_t)listed, "\n"); line; line = strtok(NULL, "\n")) {
            printf("# %s\n", line);
        }
    }
    set_ports(ports, ARRAY_LEN(ports), NULL);
}

CASE(what_others_do_to_their_tables_is_theirs) {
    if (no_lab) {
        SKIP(no_lab);
    }
    if (!has_nft) {
        SKIP("needs nft(8)");
    }
    struct err err = {0};
    bool fresh = true;
    AUTO_FREE char *before = mem_copy_string(output_of("nft list table inet coffer"));
    // As firewalld does when it is told to reload: its own table goes and comes.
    CHECK(run("nft add table inet firewalld && nft delete table inet firewalld && nft add table inet firewalld"));
    CHECK_STR(output_of("nft list table inet coffer"), before);
    CHECK_INT(firewall_ensure(filter, &fresh, &err), 0);
    CHECK(!fresh);
    // As the nftables service does: everything goes.
    CHECK(run("nft flush ruleset"));
    set_networks(false); // a network of no table is gone already
    const struct firewall_port port = port_of(IPPROTO_TCP, NULL, 8080, "10.80.0.2", 80);
    CHECK_INT(firewall_publish(filter, &port, 1, "web", &err), -1);
    CHECK_STR(err.text, "publish ports: the packet filter's table \"inet coffer\" is gone; it is made anew by the next command");
    set_ports(&port, 1, NULL);
    CHECK_INT(firewall_ensure(filter, &fresh, &err), 0);
    CHECK(fresh);
    set_networks(true);
    CHECK_INT(firewall_settle(filter, &err), 0);
    CHECK_STR(output_of("nft list table inet coffer"), before);
}

// A container is replaced, and a client goes on sending from where it did: its datagrams belong to a connection that the kernel knows.
CASE(who_sends_to_one_that_is_gone_is_turned_to_the_next) {
    if (no_lab) {
        SKIP(no_lab);
    }
    char seen[ADDRESS_TEXT_SIZE];
    struct err err = {0};
    const struct firewall_port first = port_of(IPPROTO_UDP, NULL, 5355, "10.80.0.2", 53), first6 = port_of(IPPROTO_UDP, NULL, 5355, "fd80::2", 53);
    const struct firewall_port next = port_of(IPPROTO_UDP, NULL, 5355, "10.80.0.3", 53), next6 = port_of(IPPROTO_UDP, NULL, 5355, "fd80::3", 53);
    AUTO_FD int old = lab_serve(a1, SOCK_DGRAM, "10.80.0.2", 53), old6 = lab_serve(a1, SOCK_DGRAM, "fd80::2", 53);
    AUTO_FD int new = lab_serve(a2, SOCK_DGRAM, "10.80.0.3", 53), new6 = lab_serve(a2, SOCK_DGRAM, "fd80::3", 53);
    AUTO_FD int client = lab_connect(outside, SOCK_DGRAM, "192.0.2.1", 5355, LAB_WAIT_MS);
    AUTO_FD int client6 = lab_connect(outside, SOCK_DGRAM, "2001:db8::1", 5355, LAB_WAIT_MS);
    set_ports(&first, 1, "old");
    set_ports(&first6, 1, "old");
    CHECK(lab_ask(client, old, LAB_WAIT_MS, seen) && lab_ask(client6, old6, LAB_WAIT_MS, seen));
    set_ports(&first, 1, NULL);
    set_ports(&first6, 1, NULL);
    set_ports(&next, 1, "new");
    set_ports(&next6, 1, "new");
    CHECK(!lab_ask(client, new, LAB_NOTHING_MS, seen) && !lab_ask(client6, new6, LAB_NOTHING_MS, seen));
    const struct conntrack_match gone[] = {{.container = lab_address("10.80.0.2"), .protocol = IPPROTO_UDP},
                                           {.container = lab_address("fd80::2"), .protocol = IPPROTO_UDP}};
    CHECK_INT(conntrack_forget(filter, gone, 2, &err), 0);
    CHECK(lab_ask(client, new, LAB_WAIT_MS, seen) && lab_ask(client6, new6, LAB_WAIT_MS, seen));
    set_ports(&next, 1, NULL);
    set_ports(&next6, 1, NULL);
    // By the port, whoever it led to; what is of another protocol or port stays.
    set_ports(&first, 1, "third");
    const struct conntrack_match others[] = {{.protocol = IPPROTO_TCP, .port = 5355}, {.protocol = IPPROTO_UDP, .port = 53},
                                             {.container = lab_address("10.80.0.4")}, {.container = lab_address("10.80.0.3"), .port = 1}};
    CHECK_INT(conntrack_forget(filter, others, ARRAY_LEN(others), &err), 0);
    CHECK(!lab_ask(client, old, LAB_NOTHING_MS, seen));
    const struct conntrack_match port = {.protocol = IPPROTO_UDP, .port = 5355};
    CHECK_INT(conntrack_forget(filter, &port, 1, &err), 0);
    while (read(old, seen, 1) == 1) {
    }
    CHECK(lab_ask(client, old, LAB_WAIT_MS, seen));
    set_ports(&first, 1, NULL);
}

static bool reaches_outside(void) {
    AUTO_FD int tcp = lab_serve(outside, SOCK_STREAM, "192.0.2.2", 80), tcp6 = lab_serve(outside, SOCK_STREAM, "2001:db8::2", 80);
    AUTO_FD int client = lab_connect(a1, SOCK_STREAM, "192.0.2.2", 80, LAB_NOTHING_MS);
    AUTO_FD int client6 = lab_connect(a1, SOCK_STREAM, "2001:db8::2", 80, LAB_NOTHING_MS);
    return client >= 0 && client6 >= 0 && tcp >= 0 && tcp6 >= 0;
}

CASE(dockers_and_ufws_and_firewalls_chains_are_passed) {
    if (no_lab) {
        SKIP(no_lab);
    }
    if (!has_nft || !run("iptables-nft -V > /dev/null 2>&1")) {
        SKIP("needs nft(8) and iptables-nft(8)");
    }
    static const struct {
        const char *name, *make, *shows, *expected, *remove;
    } others[] = {
        {"docker", "for i in iptables-nft ip6tables-nft; do $i -N DOCKER-USER && $i -A DOCKER-USER -j RETURN && $i -A FORWARD -j DOCKER-USER && "
                   "$i -P FORWARD DROP || exit 1; done",
         "iptables-nft -S DOCKER-USER; iptables-nft -S FORWARD; ip6tables-nft -S DOCKER-USER",
         "-N DOCKER-USER\n-A DOCKER-USER -o cf-+ -j ACCEPT\n-A DOCKER-USER -i cf-+ -j ACCEPT\n-A DOCKER-USER -j RETURN\n"
         "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"
         "-N DOCKER-USER\n-A DOCKER-USER -o cf-+ -j ACCEPT\n-A DOCKER-USER -i cf-+ -j ACCEPT\n-A DOCKER-USER -j RETURN\n",
         "nft delete table ip filter; nft delete table ip6 filter"},
        {"ufw", "for i in iptables-nft ip6tables-nft; do $i -P FORWARD DROP || exit 1; done", "iptables-nft -S FORWARD",
         "-P FORWARD DROP\n-A FORWARD -o cf-+ -j ACCEPT\n-A FORWARD -i cf-+ -j ACCEPT\n",
         "nft delete table ip filter; nft delete table ip6 filter"},
        {"firewalld", "nft add table inet firewalld && "
                      "nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority 10; policy accept; }' && "
                      "nft add rule inet firewalld filter_FORWARD reject with icmpx type admin-prohibited",
         "nft list chain inet firewalld filter_FORWARD | sed -n 's/packets [0-9]* bytes [0-9]* //; /cf-/p'",
         "\t\toifname \"cf-*\" counter accept\n\t\tiifname \"cf-*\" counter accept\n", "nft delete table inet firewalld"},
    };
    struct err err = {0};
    CHECK_INT(foreign_filter_pass(filter, "cf-", &err), 0);
    AUTO_FREE char *before = mem_copy_string(output_of("nft list ruleset"));
    CHECK(strstr(before, "cf-+") == NULL);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        printf("# %s\n", others[i].name);
        CHECK(run(others[i].make));
        CHECK(!reaches_outside());
        CHECK_INT(foreign_filter_pass(filter, "cf-", &err), 0);
        CHECK_INT(foreign_filter_pass(filter, "cf-", &err), 0);
        CHECK(reaches_outside());
        CHECK_STR(output_of(others[i].shows), others[i].expected);
        // What ours does not let through still is not.
        CHECK_INT(lab_connect(router, SOCK_STREAM, "10.80.0.2", 80, LAB_NOTHING_MS), -1);
        CHECK_INT(foreign_filter_stop(filter, "cf-", &err), 0);
        CHECK(strstr(output_of(others[i].shows), "cf-") == NULL);
        CHECK(run(others[i].remove));
    }
}

static char logged[1024];

static void keep_log(enum log_level level, const char *line) {
    snprintf(logged, sizeof(logged), "%d %s", level, line);
}

// As firewalld's is from 2.1 on, for as long as it runs.
CASE(a_table_that_has_an_owner_is_told) {
    if (no_lab) {
        SKIP(no_lab);
    }
    if (!has_nft) {
        SKIP("needs nft(8)");
    }
    struct err err = {0};
    FILE *owner = popen("nft -i > /dev/null 2>&1", "w");
    fputs("add table inet firewalld { flags owner; }\n"
          "add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }\n",
          owner);
    fflush(owner);
    for (int i = 0; i < 200 && !run("nft list chain inet firewalld filter_FORWARD > /dev/null 2>&1"); i++) {
        usleep(20000);
    }
    if (!strstr(output_of("nft list table inet firewalld"), "flags owner")) {
        pclose(owner);
        run("nft delete table inet firewalld 2> /dev/null");
        SKIP("this kernel's tables have no owners");
    }
    log_set_sink(keep_log, LOG_LEVEL_WARNING);
    CHECK_INT(foreign_filter_pass(filter, "cf-", &err), 0);
    CHECK_STR(logged, "1 table firewalld refuses what containers' networks forward, and only its owner can change that; \"firewall-cmd "
                      "--permanent --zone=trusted --add-interface=cf-+\" and \"firewall-cmd --reload\" let it pass");
    CHECK_INT(foreign_filter_stop(filter, "cf-", &err), 0);
    log_set_sink(NULL, LOG_LEVEL_ERROR);
    pclose(owner);
}

CASE(two_hundred_cost_the_same_each) {
    if (no_lab) {
        SKIP(no_lab);
    }
    enum { COUNT = 200, GROUP = 10 };
    double spent[COUNT], checks[GROUP];
    for (int i = 0; i < COUNT; i++) {
        const struct firewall_port port = port_of(IPPROTO_TCP, NULL, (uint16_t)(20000 + i), "10.80.0.2", 80);
        double before = lab_now_ms();
        set_ports(&port, 1, "web");
        spent[i] = lab_now_ms() - before;
    }
    for (int i = 0; i < GROUP; i++) {
        struct err err = {0};
        bool fresh;
        double before = lab_now_ms();
        CHECK_INT(firewall_ensure(filter, &fresh, &err), 0);
        checks[i] = lab_now_ms() - before;
    }
    printf("# a published port: %.3f ms each of the first %d, %.3f ms each of the last %d of %d; the look whether all is there: %.3f ms\n",
           lab_median(spent, GROUP), GROUP, lab_median(spent + COUNT - GROUP, GROUP), GROUP, COUNT, lab_median(checks, GROUP));
    static struct firewall_port all[COUNT];
    for (int i = 0; i < COUNT; i++) {
        all[i] = port_of(IPPROTO_TCP, NULL, (uint16_t)(20000 + i), "10.80.0.2", 80);
    }
    for (int i = 0; i < GROUP; i++) {
        double before = lab_now_ms();
        set_ports(&all[i], 1, NULL);
        checks[i] = lab_now_ms() - before;
    }
    printf("# taken back one after another: the first %.3f ms, then %.3f ms each\n", checks[0], lab_median(checks + 1, GROUP - 1));
    set_ports(all, COUNT, NULL);
}

CASE(nothing_is_left) {
    if (no_lab) {
        SKIP(no_lab);
    }
    AUTO_ARENA struct arena arena = {0};
    struct firewall_state state = {0};
    struct err err = {0};
    CHECK_INT(firewall_read(filter, &arena, &state, &err), 0);
    CHECK_INT(state.bridge_count, 3);
    CHECK_INT(state.internal_count, 1);
    CHECK_STR(state.internal[0], "cf-int");
    set_networks(false);
    set_networks(false);
    CHECK_INT(firewall_read(filter, &arena, &state, &err), 0);
    CHECK_INT(state.bridge_count + state.internal_count + state.port_count, 0);
    if (has_nft) {
        CHECK(strstr(output_of("nft list table inet coffer"), "elements") == NULL);
    }
    CHECK_INT(firewall_remove(filter, &err), 0);
    CHECK_INT(firewall_remove(filter, &err), 0);
    if (has_nft) {
        CHECK_STR(output_of("nft list ruleset"), "");
    }
    CHECK_INT(firewall_read(filter, &arena, &state, &err), 0);
    CHECK_INT(state.bridge_count, 0);
}

CASE(who_may_not_is_told) {
    if (no_lab) {
        SKIP(no_lab);
    }
    pid_t child = fork();
    if (child == 0) {
        struct err err = {0};
        bool fresh;
        bool told = setuid(65534) == 0 && firewall_ensure(firewall_open(&err), &fresh, &err) < 0 && err.kind == ERR_UNSUPPORTED &&
                    strcmp(err.text, "look at the packet filter: only root can do so (CAP_NET_ADMIN is missing)") == 0;
        _exit(told ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
}

int main(void) {
    has_nft = run("nft --version > /dev/null 2>&1");
    RUN(the_lab_is_built);
    RUN(it_is_made_once_and_repaired);
    RUN(out_goes_everything_behind_the_host);
    RUN(a_published_port_answers_everywhere);
    RUN(an_address_of_the_host_has_ports_of_its_own);
    RUN(what_is_for_the_host_alone_is_not_for_neighbours);
    RUN(networks_do_not_reach_each_other);
    RUN(an_internal_network_is_closed);
    RUN(ranges_are_taken_as_a_whole);
    RUN(a_taken_port_names_its_owner);
    RUN(nft_shows_it_in_its_own_words);
    RUN(what_others_do_to_their_tables_is_theirs);
    RUN(who_sends_to_one_that_is_gone_is_turned_to_the_next);
    RUN(dockers_and_ufws_and_firewalls_chains_are_passed);
    RUN(a_table_that_has_an_owner_is_told);
    RUN(two_hundred_cost_the_same_each);
    RUN(nothing_is_left);
    RUN(who_may_not_is_told);
    return check_done();
}
