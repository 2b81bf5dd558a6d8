// Bridges and endpoints, by packets that really go over them.
#include "tests/unit/net_lab.h"

#include "runtime/kernel/netlink.h"
#include "runtime/net/sysctl.h"

#include <net/if.h>
#include <sys/ioctl.h>

static const char *no_lab;

static int look(const char *name, char kind[LINK_KIND_SIZE], uint8_t mac[MAC_SIZE]) {
    struct err err = {0};
    int index = -1;
    AUTO_FD int fd = netlink_open(&err);
    CHECK(fd >= 0 && link_find(fd, name, kind, &index, mac, &err) == 0);
    return index;
}

CASE(a_bridge_is_made_once) {
    if (no_lab) {
        SKIP(no_lab);
    }
    int first = lab_bridge("cf-once", "10.91.0.1", "fd91::1");
    CHECK(first > 0);
    CHECK_INT(lab_bridge("cf-once", "10.91.0.1", "fd91::1"), first);
    char kind[LINK_KIND_SIZE];
    uint8_t mac[MAC_SIZE];
    CHECK_INT(look("cf-once", kind, mac), first);
    CHECK_STR(kind, "bridge");
    static const uint8_t expected[MAC_SIZE] = {0x02, 0xcf, 10, 91, 0, 1};
    CHECK(memcmp(mac, expected, MAC_SIZE) == 0);
    // The addresses are there, usable at once, and no other of the kernel's making.
    AUTO_FD int ipv4 = lab_serve(-1, SOCK_STREAM, "10.91.0.1", 1);
    AUTO_FD int ipv6 = lab_serve(-1, SOCK_STREAM, "fd91::1", 1);
    CHECK(ipv4 >= 0 && ipv6 >= 0);
    struct err err = {0};
    CHECK_INT(bridge_remove("cf-once", NULL, &err), 0);
    CHECK_INT(bridge_remove("cf-once", NULL, &err), 0);
    CHECK_INT(look("cf-once", kind, mac), 0);
}

CASE(what_is_no_bridge_stays) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    int index;
    CHECK_INT(bridge_ensure(&(struct bridge_request){.name = "lo"}, &index, NULL, &err), -1);
    CHECK_STR(err.text, "network interface \"lo\" is there and no bridge; give the network another name");
    CHECK_INT(bridge_remove("lo", NULL, &err), -1);
    CHECK_STR(err.text, "network interface \"lo\" is no bridge: it is somebody else's, and stays");
    CHECK_INT(endpoint_remove("lo", &err), -1);
    CHECK_STR(err.text, "network interface \"lo\" is no veth: it is somebody else's, and stays");
    CHECK_INT(bridge_ensure(&(struct bridge_request){.name = "a name/too"}, &index, NULL, &err), -1);
    CHECK_STR(err.text, "network interface \"a name/too\": expected a name of 1 to 15 characters, without spaces, \"/\", \":\" and \"%\", "
                        "and not \"all\" or \"default\"");
    CHECK_INT(bridge_ensure(&(struct bridge_request){.name = "all"}, &index, NULL, &err), -1);
}

CASE(two_on_one_bridge_talk) {
    if (no_lab) {
        SKIP(no_lab);
    }
    CHECK(lab_bridge("cf-talk", "10.92.0.1", "fd92::1") > 0);
    AUTO_FD int a = lab_host(&(struct lab_host){"cf-talk", "cfa", "10.92.0.2", "fd92::2", "10.92.0.1", "fd92::1"});
    AUTO_FD int b = lab_host(&(struct lab_host){"cf-talk", "cfb", "10.92.0.3", "fd92::3", "10.92.0.1", "fd92::1"});
    CHECK(a >= 0 && b >= 0);
    char seen[ADDRESS_TEXT_SIZE];
    AUTO_FD int ipv4 = lab_serve(b, SOCK_STREAM, "10.92.0.3", 80);
    CHECK(lab_stream(a, "10.92.0.3", 80, ipv4, seen));
    CHECK_STR(seen, "10.92.0.2");
    AUTO_FD int ipv6 = lab_serve(b, SOCK_STREAM, "fd92::3", 80);
    CHECK(lab_stream(a, "fd92::3", 80, ipv6, seen));
    CHECK_STR(seen, "fd92::2");
    // Themselves, by the loopback interface, and the host.
    AUTO_FD int own = lab_serve(b, SOCK_STREAM, "127.0.0.1", 81);
    CHECK(lab_stream(b, "127.0.0.1", 81, own, seen));
    AUTO_FD int own6 = lab_serve(b, SOCK_STREAM, "::1", 81);
    CHECK(lab_stream(b, "::1", 81, own6, seen));
    AUTO_FD int gateway = lab_serve(-1, SOCK_STREAM, "10.92.0.1", 53);
    CHECK(lab_stream(a, "10.92.0.1", 53, gateway, seen));
    AUTO_FD int gateway6 = lab_serve(-1, SOCK_STREAM, "fd92::1", 53);
    CHECK(lab_stream(a, "fd92::1", 53, gateway6, seen));
}

static bool gone_within(const char *name, int timeout_ms) {
    for (double end = lab_now_ms() + timeout_ms; lab_now_ms() < end; usleep(2000)) {
        if (if_nametoindex(name) == 0) {
            return true;
        }
    }
    return false;
}

CASE(the_pair_dies_with_its_namespace) {
    if (no_lab) {
        SKIP(no_lab);
    }
    CHECK(lab_bridge("cf-die", "10.93.0.1", NULL) > 0);
    AUTO_FD int a = lab_host(&(struct lab_host){"cf-die", "cfdie", "10.93.0.2", NULL, "10.93.0.1", NULL});
    CHECK(a >= 0 && if_nametoindex("cfdie") != 0);
    fd_close(&a);
    CHECK(gone_within("cfdie", 5000));
}

CASE(a_name_left_behind_is_taken_over) {
    if (no_lab) {
        SKIP(no_lab);
    }
    CHECK(lab_bridge("cf-again", "10.94.0.1", NULL) > 0);
    const struct lab_host host = {"cf-again", "cfagain", "10.94.0.2", NULL, "10.94.0.1", NULL};
    AUTO_FD int old = lab_host(&host);
    unsigned before = if_nametoindex("cfagain");
    AUTO_FD int new = lab_host(&host);
    CHECK(old >= 0 && new >= 0 && before != 0 && if_nametoindex("cfagain") != before);
    char seen[ADDRESS_TEXT_SIZE];
    AUTO_FD int server = lab_serve(new, SOCK_STREAM, "10.94.0.2", 80);
    CHECK(lab_stream(-1, "10.94.0.2", 80, server, seen));
    struct err err = {0};
    CHECK_INT(endpoint_remove("cfagain", &err), 0);
    CHECK_INT(endpoint_remove("cfagain", &err), 0);
    CHECK_INT(if_nametoindex("cfagain"), 0);
}

// Two hosts after each other with one address and hardware addresses that do not follow from it: the neighbour would go on sending to the
// first for half a minute.
CASE(neighbours_are_told_of_a_new_hardware_address) {
    if (no_lab) {
        SKIP(no_lab);
    }
    CHECK(lab_bridge("cf-tell", "10.95.0.1", "fd95::1") > 0);
    char seen[ADDRESS_TEXT_SIZE];
    struct link_address addresses[] = {lab_link_address("10.95.0.2", 24), lab_link_address("fd95::2", 64)};
    struct endpoint_request request = {.parent = "cf-tell", .name = "eth0", .addresses = addresses, .address_count = 2, .announce = true};
    for (uint8_t i = 1; i < 4; i++) {
        struct err err = {0};
        struct endpoint endpoint;
        char name[16];
        snprintf(name, sizeof(name), "cftell%u", i);
        request.host_name = name;
        memcpy(request.mac, (uint8_t[]){0x02, 0, 0, 0, 0, i}, MAC_SIZE);
        AUTO_FD int netns = netns_create(false, &err);
        CHECK_INT(endpoint_create(&request, netns, &endpoint, &err), 0);
        CHECK(memcmp(endpoint.mac, request.mac, MAC_SIZE) == 0);
        AUTO_FD int ipv4 = lab_serve(netns, SOCK_STREAM, "10.95.0.2", 80), ipv6 = lab_serve(netns, SOCK_STREAM, "fd95::2", 80);
        CHECK(lab_stream(-1, "10.95.0.2", 80, ipv4, seen));
        CHECK(lab_stream(-1, "fd95::2", 80, ipv6, seen));
    }
}

CASE(wrong_requests_are_told) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    struct endpoint endpoint;
    AUTO_FD int netns = netns_create(false, &err);
    struct link_address address = lab_link_address("10.96.0.2", 24);
    struct address gateway = lab_address("10.97.0.1");
    struct endpoint_request request = {.parent = "cf-none", .host_name = "cfwrong", .name = "eth0", .addresses = &address, .address_count = 1};
    CHECK_INT(endpoint_create(&request, netns, &endpoint, &err), -1);
    CHECK_STR(err.text, "make network interface \"eth0\": this host has no interface \"cf-none\"");
    CHECK(lab_bridge("cf-wrong", "10.96.0.1", NULL) > 0);
    request.parent = "cf-wrong";
    request.gateways = &gateway;
    request.gateway_count = 1;
    CHECK_INT(endpoint_create(&request, netns, &endpoint, &err), -1);
    CHECK_STR(err.text, "network interface \"eth0\": the gateway 10.97.0.1 is in none of its subnets");
    // Nothing is left of it, on either side.
    CHECK_INT(if_nametoindex("cfwrong"), 0);
    request.gateway_count = 0;
    CHECK_INT(endpoint_create(&request, netns, &endpoint, &err), 0);
    request.host_name = "cfwrong2";
    CHECK_INT(endpoint_create(&request, netns, &endpoint, &err), -1);
    CHECK_STR(err.text, "make network interface \"eth0\": the container has one of that name already");
    CHECK_INT(if_nametoindex("cfwrong2"), 0);
    CHECK(if_nametoindex("cfwrong") > 0);
}

// Too small for IPv6, which such an interface does not have then, as on a host without.
CASE(small_packets_are_fine_but_for_ipv6) {
    if (no_lab) {
        SKIP(no_lab);
    }
    struct err err = {0};
    struct endpoint endpoint;
    int index;
    char seen[ADDRESS_TEXT_SIZE];
    struct link_address gateway = lab_link_address("10.97.0.1", 24);
    struct link_address addresses[] = {lab_link_address("10.97.0.2", 24), lab_link_address("fd97::2", 64)};
    const struct bridge_request bridge = {.name = "cf-small", .addresses = &gateway, .address_count = 1, .mtu = 1000};
    struct endpoint_request request = {.parent = "cf-small", .host_name = "cfsmall", .name = "eth0", .addresses = addresses,
                                       .address_count = 1, .gateways = &gateway.address, .gateway_count = 1, .mtu = 1000};
    AUTO_FD int netns = netns_create(false, &err);
    CHECK_INT(bridge_ensure(&bridge, &index, NULL, &err), 0);
    CHECK_INT(bridge_ensure(&bridge, &index, NULL, &err), 0);
    CHECK_INT(endpoint_create(&request, netns, &endpoint, &err), 0);
    AUTO_FD int server = lab_serve(netns, SOCK_STREAM, "10.97.0.2", 80);
    CHECK(lab_stream(-1, "10.97.0.2", 80, server, seen));
    AUTO_FD int other = netns_create(false, &err);
    struct address elsewhere = lab_address("10.96.0.1");
    request.host_name = "cfsmall2";
    request.gateways = &elsewhere;
    CHECK_INT(endpoint_create(&request, other, &endpoint, &err), -1);
    CHECK_STR(err.text, "network interface \"eth0\": the gateway 10.96.0.1 is in none of its subnets");
    AUTO_FD int third = netns_create(false, &err);
    request.host_name = "cfsmall3";
    request.gateway_count = 0;
    request.address_count = 2;
    CHECK_INT(endpoint_create(&request, third, &endpoint, &err), -1);
    CHECK(strncmp(err.text, "give network interface \"eth0\" the address fd97::2: ", 51) == 0);
}

CASE(a_macvlan_is_on_its_parents_link) {
    if (no_lab) {
        SKIP(no_lab);
    }
    // The parent is one end of a pair, in a namespace of its own; the other end's bridge is the link.
    struct err err = {0};
    struct endpoint endpoint;
    CHECK(lab_bridge("cf-lan", "10.98.0.1", "fd98::1") > 0);
    AUTO_FD int host = lab_host(&(struct lab_host){"cf-lan", "cflan", "10.98.0.2", "fd98::2", NULL, NULL});
    AUTO_FD int container = netns_create(false, &err);
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct link_address addresses[] = {lab_link_address("10.98.0.3", 24), lab_link_address("fd98::3", 64)};
    struct address gateways[] = {lab_address("10.98.0.1"), lab_address("fd98::1")};
    struct endpoint_request request = {.kind = ENDPOINT_MACVLAN,
                                       .parent = "eth0",
                                       .name = "eth0",
                                       .addresses = addresses,
                                       .address_count = 2,
                                       .gateways = gateways,
                                       .gateway_count = 2};
    CHECK_INT(setns(host, CLONE_NEWNET), 0);
    const struct address right = gateways[0];
    gateways[0] = lab_address("10.96.0.1");
    bool refused = endpoint_create(&request, container, &endpoint, &err) < 0 && strstr(err.text, "is in none of its subnets");
    gateways[0] = right;
    int made = endpoint_create(&request, container, &endpoint, &err);
    CHECK_INT(setns(here, CLONE_NEWNET), 0);
    if (made < 0 && err.kind == ERR_UNSUPPORTED) {
        CHECK_STR(err.text, "make network interface \"eth0\": this kernel has no macvlan interfaces");
        SKIP("this kernel has no macvlan interfaces");
    }
    CHECK(refused);
    CHECK_INT(made, 0); // nothing of the first one is left
    char seen[ADDRESS_TEXT_SIZE];
    AUTO_FD int ipv4 = lab_serve(container, SOCK_STREAM, "10.98.0.3", 80), ipv6 = lab_serve(container, SOCK_STREAM, "fd98::3", 80);
    CHECK(lab_stream(-1, "10.98.0.3", 80, ipv4, seen));
    CHECK(lab_stream(-1, "fd98::3", 80, ipv6, seen));
    request.parent = "cf-lan";
    AUTO_FD int other = netns_create(false, &err);
    request.parent = "cflan"; // a bridge's port
    CHECK_INT(endpoint_create(&request, other, &endpoint, &err), -1);
    CHECK_STR(err.text, "make network interface \"eth0\": \"cflan\" is part of a bridge or used otherwise, so no macvlan can be on it");
}

static char setting(const char *path) {
    char value = 0;
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return read(fd, &value, 1) == 1 ? value : 0;
}

static bool is_turned_off(const char *path) {
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, "0\n", 2) == 2;
}

CASE(forwarding_keeps_what_routers_advertise) {
    if (no_lab) {
        SKIP(no_lab);
    }
    // A new namespace takes it over from the host, which may forward already.
    CHECK(is_turned_off("/proc/sys/net/ipv4/ip_forward") && is_turned_off("/proc/sys/net/ipv6/conf/all/forwarding"));
    static const char ra[] = "/proc/sys/net/ipv6/conf/cf-ra-veth/accept_ra";
    CHECK(lab_bridge("cf-ra", NULL, "fd99::1") > 0);
    AUTO_FD int host = lab_host(&(struct lab_host){"cf-ra", "cf-ra-veth", NULL, "fd99::2", NULL, NULL});
    CHECK_INT(setting(ra), '1');
    // Nobody on a bridge of ours tells the host where to send its packets.
    CHECK_INT(setting("/proc/sys/net/ipv6/conf/cf-ra/accept_ra"), '0');
    AUTO_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK_INT(setns(host, CLONE_NEWNET), 0);
    CHECK_INT(setting("/proc/sys/net/ipv6/conf/eth0/accept_ra"), '0');
    CHECK_INT(setns(here, CLONE_NEWNET), 0);
    struct err err = {0};
    struct sysctl_changes changes;
    CHECK_INT(sysctl_forward(true, true, &changes, &err), 0);
    CHECK(changes.ipv4_forwarding && changes.ipv6_forwarding && changes.kept_advertisements >= 1);
    CHECK_INT(setting(ra), '2');
    CHECK_INT(setting("/proc/sys/net/ipv4/ip_forward"), '1');
    CHECK_INT(setting("/proc/sys/net/ipv6/conf/all/forwarding"), '1');
    CHECK_INT(sysctl_forward(true, true, &changes, &err), 0);
    CHECK(!changes.ipv4_forwarding && !changes.ipv6_forwarding && changes.kept_advertisements == 0);
    CHECK_INT(sysctl_route_localnet("cf-ra", &err), 0);
    CHECK_INT(setting("/proc/sys/net/ipv4/conf/cf-ra/route_localnet"), '1');
    CHECK_INT(setting("/proc/sys/net/ipv4/conf/all/route_localnet"), '0');
}

// No assertion on time: what is printed is for who reads it. The median, since the machine has others to serve.
CASE(two_hundred_cost_the_same_each) {
    if (no_lab) {
        SKIP(no_lab);
    }
    enum { COUNT = 200, GROUP = 10 };
    static int namespaces[COUNT];
    double spent[COUNT], whole[COUNT];
    int failed = 0;
    CHECK(lab_bridge("cf-many", "10.90.0.1", NULL) > 0);
    for (int i = 0; i < COUNT; i++) {
        struct err err = {0};
        struct endpoint endpoint;
        char name[16], ipv4[32];
        snprintf(name, sizeof(name), "cfmany%d", i);
        snprintf(ipv4, sizeof(ipv4), "10.90.0.%d", i + 2);
        struct link_address address = lab_link_address(ipv4, 24);
        struct address gateway = lab_address("10.90.0.1");
        const struct endpoint_request request = {.parent = "cf-many", .host_name = name, .name = "eth0",
                                                 .addresses = &address, .address_count = 1, .gateways = &gateway,
                                                 .gateway_count = 1, .announce = true};
        double start = lab_now_ms();
        namespaces[i] = netns_create(false, &err);
        double before = lab_now_ms();
        failed += endpoint_create(&request, namespaces[i], &endpoint, &err) < 0;
        spent[i] = lab_now_ms() - before;
        whole[i] = lab_now_ms() - start;
    }
    CHECK_INT(failed, 0);
    double first = lab_median(spent, GROUP), last = lab_median(spent + COUNT - GROUP, GROUP);
    printf("# an endpoint: %.2f ms each of the first %d, %.2f ms each of the last %d of %d\n", first, GROUP, last,
           GROUP, COUNT);
    printf("# with the namespace itself: %.2f ms each of the first, %.2f ms each of the last\n", lab_median(whole, GROUP),
           lab_median(whole + COUNT - GROUP, GROUP));
    for (int i = 0; i < COUNT; i++) {
        close(namespaces[i]);
    }
}

int main(void) {
    lab_enter(&no_lab);
    RUN(a_bridge_is_made_once);
    RUN(what_is_no_bridge_stays);
    RUN(two_on_one_bridge_talk);
    RUN(the_pair_dies_with_its_namespace);
    RUN(a_name_left_behind_is_taken_over);
    RUN(neighbours_are_told_of_a_new_hardware_address);
    RUN(wrong_requests_are_told);
    RUN(small_packets_are_fine_but_for_ipv6);
    RUN(a_macvlan_is_on_its_parents_link);
    RUN(forwarding_keeps_what_routers_advertise);
    RUN(two_hundred_cost_the_same_each);
    return check_done();
}
