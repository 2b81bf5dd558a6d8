// Networks: what is worked out from a user's words, and who gets which address.
#include "tests/unit/check.h"
#include "tests/unit/folder.h"

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/home.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/links.h"
#include "runtime/engine/network_names.h"
#include "runtime/engine/network_options.h"
#include "runtime/engine/network_plan.h"
#include "runtime/engine/network_store.h"
#include "runtime/net/dns.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct subnet subnet_of(const char *text) {
    struct subnet subnet = {0};
    struct err err = {0};
    CHECK(subnet_parse("test", text, &subnet, &err) == 0);
    return subnet;
}

static struct address address_of(const char *text) {
    struct address address = {0};
    struct err err = {0};
    CHECK(address_parse("test", text, &address, &err) == 0);
    return address;
}

// --- planning ---

struct wish {
    struct network_request request;
    struct network_surroundings around;
};

// What is made of the wish, as it is written down; or the error.
static const char *planned(const struct wish *wish) {
    struct network network = {0};
    struct err err = {0};
    AUTO_BUF struct buf text = {0};
    if (network_plan(&arena, &wish->request, &wish->around, &network, &err) < 0) {
        return arena_copy_string(&arena, err.text);
    }
    network_write(&network, &text);
    return arena_copy_string(&arena, buf_string(&text));
}

static struct strv words(const char *a, const char *b, const char *c) {
    struct strv list = {arena_array(&arena, 4, sizeof(char *)), 0};
    const char *all[] = {a, b, c};
    for (size_t i = 0; i < 3 && all[i]; i++) {
        list.items[list.count++] = arena_copy_string(&arena, all[i]);
    }
    return list;
}

CASE(what_is_not_said_is_chosen) {
    const struct wish plain = {.request = {.name = "a"}};
    CHECK_STR(planned(&plain), "{\"id\":\"\",\"name\":\"a\",\"driver\":\"bridge\",\"created\":0,\"internal\":false,\"noDns\":false,"
                               "\"subnets\":[{\"subnet\":"
                               "\"10.201.0.0/24\",\"gateway\":\"10.201.0.1\"}],\"reserved\":[],\"labels\":{},\"options\":{}}");
    const struct wish both = {.request = {.name = "a", .ipv6 = true, .internal = true}, .around = {.random = 0x102030405060708}};
    CHECK_STR(
        planned(&both),
        "{\"id\":\"\",\"name\":\"a\",\"driver\":\"bridge\",\"created\":0,\"internal\":true,\"noDns\":false,\"subnets\":[{"
        "\"subnet\":"
        "\"10.201.0.0/24\",\"gateway\":\"10.201.0.1\"},{\"subnet\":\"fd02:304:506:708::/64\",\"gateway\":\"fd02:304:506:708::1\"}],"
        "\"reserved\":[],\"labels\":{},\"options\":{}}");
}

CASE(what_is_there_is_kept_out_of) {
    const struct network others[] = {{.name = "old", .ipv4 = {.set = true, .subnet = subnet_of("10.201.0.0/24")}}};
    const struct route vpn[] = {{.subnet = subnet_of("10.0.0.0/8")}};
    const struct route vpns[] = {
        {.subnet = subnet_of("10.0.0.0/8")}, {.subnet = subnet_of("172.16.0.0/12")}, {.subnet = subnet_of("192.168.0.0/16")}};
    const struct address server = address_of("10.201.1.7");
    struct wish wish = {.request = {.name = "a"},
                        .around = {.networks = others, .network_count = 1, .servers = &server, .server_count = 1}};
    CHECK(strstr(planned(&wish), "\"10.201.2.0/24\""));
    wish.around.routes = vpn;
    wish.around.route_count = 1;
    CHECK(strstr(planned(&wish), "\"172.30.0.0/24\""));
    wish.around.routes = vpns;
    wish.around.route_count = 3;
    CHECK_STR(planned(&wish),
              "other networks and the host's routes leave no subnet free in 10.201.0.0/16, 172.30.0.0/16, 192.168.192.0/18; choose "
              "one with --subnet");
    wish.request.subnets = words("10.201.0.128/25", NULL, NULL);
    CHECK_STR(planned(&wish), "--subnet 10.201.0.128/25 overlaps 10.201.0.0/24 of network old; choose another");
    wish.request.subnets = words("172.18.0.0/16", NULL, NULL);
    CHECK_STR(planned(&wish), "--subnet 172.18.0.0/16 overlaps the host's route to 172.16.0.0/12; choose another");
    wish.request.driver = "macvlan"; // whose containers live in a network of the host
    wish.request.options = words("parent=eth0", NULL, NULL);
    CHECK(strstr(planned(&wish), "\"172.18.0.0/16\""));
}

CASE(subnets_and_what_is_in_them) {
    struct wish wish = {.request = {.name = "a", .subnets = words("10.5.0.0/16", "fd00:5::/64", NULL)}};
    wish.request.ranges = words("10.5.8.0/24", NULL, NULL);
    wish.request.gateways = words("fd00:5::fe", "10.5.0.254", NULL);
    wish.request.reserved = words("router=10.5.0.1", "other=fd00:5::7", NULL);
    CHECK(strstr(
        planned(&wish),
        "\"subnets\":[{\"subnet\":\"10.5.0.0/16\",\"gateway\":\"10.5.0.254\",\"range\":\"10.5.8.0/24\"},{\"subnet\":\"fd00:5::/"
        "64\",\"gateway\":\"fd00:5::fe\"}],\"reserved\":[{\"name\":\"router\",\"address\":\"10.5.0.1\"},{\"name\":\"other\","
        "\"address\":\"fd00:5::7\"}]"));
    wish.request.ranges = words("10.6.0.0/24", NULL, NULL);
    CHECK_STR(planned(&wish), "--ip-range 10.6.0.0/24 lies outside of the network's subnet 10.5.0.0/16 and fd00:5::/64");
    wish.request.ranges = words("10.0.0.0/8", NULL, NULL);
    CHECK_STR(planned(&wish), "--ip-range 10.0.0.0/8 lies outside of the network's subnet 10.5.0.0/16 and fd00:5::/64");
    wish.request.ranges = words("10.5.1.0/24", "10.5.2.0/24", NULL);
    CHECK_STR(planned(&wish), "--ip-range 10.5.2.0/24: a subnet has one range");
    wish.request.ranges = words(NULL, NULL, NULL);
    wish.request.gateways = words("10.6.0.1", NULL, NULL);
    CHECK_STR(planned(&wish), "--gateway 10.6.0.1 lies outside of the network's subnet 10.5.0.0/16 and fd00:5::/64");
    wish.request.gateways = words("10.5.255.255", NULL, NULL);
    CHECK_STR(planned(&wish), "--gateway 10.5.255.255: no host can have this address");
    wish.request.gateways = words("10.5.0.9", "10.5.0.8", NULL);
    CHECK_STR(planned(&wish), "--gateway 10.5.0.8: a subnet has one gateway");
    wish.request.gateways = words("10.5.0.1", NULL, NULL);
    CHECK_STR(planned(&wish), "--aux-address 10.5.0.1 is the gateway's address");
    wish.request.reserved = words("10.5.0.2", NULL, NULL);
    CHECK_STR(planned(&wish), "--aux-address 10.5.0.2: expected NAME=ADDRESS");
    wish.request.reserved = words("x=10.7.0.2", NULL, NULL);
    CHECK_STR(planned(&wish), "--aux-address 10.7.0.2 lies outside of the network's subnet 10.5.0.0/16 and fd00:5::/64");
    wish.request.subnets = words("10.5.0.0/16", "10.6.0.0/16", NULL);
    CHECK_STR(planned(&wish), "--subnet 10.6.0.0/16: a network has one subnet of IPv4 and one of IPv6 at most");
    wish.request.subnets = words(NULL, NULL, NULL);
    CHECK_STR(planned(&wish), "--gateway, --ip-range and --aux-address need --subnet");
}

CASE(names_and_drivers) {
    static const struct {
        const char *name, *driver, *error;
    } cases[] = {
        {"", NULL, "network name \"\": expected 1 to 128 letters, digits, _ . or -, a letter or digit in front"},
        {"../x", NULL, "network name \"../x\": expected 1 to 128 letters, digits, _ . or -, a letter or digit in front"},
        {"-x", NULL, "network name \"-x\": expected 1 to 128 letters, digits, _ . or -, a letter or digit in front"},
        {"a b\n", NULL, "network name \"a b\\x0a\": expected 1 to 128 letters, digits, _ . or -, a letter or digit in front"},
        {"default", NULL, "network name \"default\": means something else to run --network; choose another"},
        {"x", "host", "--driver host: there is one already, called host"},
        {"x", "none", "--driver none: there is one already, called none"},
        {"x", "overlay", "--driver overlay: it takes a swarm of hosts, which coffer has not"},
        {"x", "ipvlan", "--driver ipvlan: it is not supported; macvlan is"},
        {"x", "nat", "--driver nat: expected bridge or macvlan"},
        {"x", "macvlan", "a network of driver macvlan needs an interface of this host: --opt parent=NAME"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct wish wish = {.request = {.name = cases[i].name, .driver = cases[i].driver}};
        CHECK_STR(planned(&wish), cases[i].error);
    }
    const struct wish wish = {.request = {.name = "x", .driver = "macvlan", .options = words("parent=eth0", NULL, NULL)}};
    CHECK_STR(planned(&wish), "a network of driver macvlan needs --subnet: that of the network its parent is in");
}

CASE(options_and_labels) {
    const struct network others[] = {
        {.name = "old", .options = &(struct text_pair){NETWORK_OPTION_BRIDGE, "br7"}, .options_count = 1}};
    struct wish wish = {.request = {.name = "a"}, .around = {.networks = others, .network_count = 1}};
    wish.request.options = words("mtu=1400", "com.docker.network.bridge.name=br9", NULL);
    wish.request.labels = words("a=1", "b", "a=2=3");
    CHECK(strstr(
        planned(&wish),
        "\"labels\":{\"a\":\"2=3\",\"b\":\"\"},\"options\":{\"com.docker.network.driver.mtu\":\"1400\",\"com.docker.network.bridge."
        "name\":\"br9\"}"));
    static const struct {
        const char *option, *error;
    } cases[] = {
        {"mtu=9", "--opt com.docker.network.driver.mtu=9: expected bytes from 576 to 65535"},
        {"mtu", "--opt mtu: networks of driver bridge have com.docker.network.driver.mtu, com.docker.network.bridge.name, each "
                "with =VALUE"},
        {"vlan=3", "--opt vlan=3: networks of driver bridge have com.docker.network.driver.mtu, com.docker.network.bridge.name, "
                   "each with =VALUE"},
        {"parent=eth0", "--opt parent=eth0: networks of driver bridge have com.docker.network.driver.mtu, "
                        "com.docker.network.bridge.name, each with "
                        "=VALUE"},
        {"com.docker.network.bridge.name=a/b",
         "--opt com.docker.network.bridge.name=a/b: expected a name of at most 15 letters, digits, _ . or -"},
        {"com.docker.network.bridge.name=br7",
         "--opt com.docker.network.bridge.name=br7 is the bridge of network old; choose another"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wish.request.options = words(cases[i].option, NULL, NULL);
        CHECK_STR(planned(&wish), cases[i].error);
    }
    wish.request.options = words("mtu=1400", "com.docker.network.driver.mtu=1500", NULL);
    CHECK_STR(planned(&wish), "--opt com.docker.network.driver.mtu is given twice");
    wish.request.options = words(NULL, NULL, NULL);
    wish.request.labels = words("=x", NULL, NULL);
    CHECK_STR(planned(&wish), "--label =x: expected KEY=VALUE");
    struct network plain = {.id = "0123456789abcdef"};
    char name[IF_NAMESIZE];
    CHECK_STR(network_bridge_name(&plain, name), "cof-0123456789a");
    CHECK_STR(network_bridge_name(&others[0], name), "br7");
    CHECK_INT(network_mtu(&plain), 0);
}

CASE(documents_are_read_as_they_were_written_and_checked) {
    struct wish wish = {.request = {.name = "a", .ipv6 = true, .no_dns = true, .subnets = words("10.5.0.0/16", NULL, NULL)}};
    wish.request.ranges = words("10.5.8.0/24", NULL, NULL);
    wish.request.reserved = words("r=10.5.0.9", NULL, NULL);
    struct network network = {0}, again = {0};
    struct err err = {0};
    AUTO_BUF struct buf text = {0};
    AUTO_BUF struct buf second = {0};
    CHECK(network_plan(&arena, &wish.request, &wish.around, &network, &err) == 0);
    memset(network.id, 'a', RECORD_ID_SIZE - 1);
    network_write(&network, &text);
    CHECK(network_read("network.json", text.data, text.size, &arena, &again, &err) == 0);
    network_write(&again, &second);
    CHECK_STR(buf_string(&second), buf_string(&text));
    static const char outside[] = "{\"id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"name\":\"a\","
                                  "\"driver\":\"bridge\",\"created\":1,"
                                  "\"subnets\":[{\"subnet\":\"10.5.0.0/16\",\"gateway\":\"10.6.0.1\"}]}";
    CHECK(network_read("network.json", outside, sizeof(outside) - 1, &arena, &again, &err) < 0);
    CHECK_STR(err.text, "network.json: gateway and range lie outside of subnet 10.5.0.0/16");
    CHECK(network_read("network.json", "{\"id\":\"a\",\"name\":\"a\",\"driver\":\"bridge\",\"created\":1}", 50, &arena, &again,
                       &err) < 0);
}

// --- addresses ---

static struct home home;

static int container(struct record_dir *dir, const char *name) {
    const char *given;
    struct err err = {0};
    if (record_create(&home, &arena, name, dir, &given, &err) < 0) {
        printf("# %s\n", err.text);
        return -1;
    }
    struct record record = {.name = given, .image = "i", .image_id = "sha256:0", .command = "c", .request = "{}", .mounts = "{}"};
    snprintf(record.id, sizeof(record.id), "%s", dir->id);
    return record_write(dir, &record, &err);
}

static struct network make(const char *name, const char *subnet, const char *range, const char *second) {
    struct network network = {0};
    struct err err = {0};
    const struct network_request request = {
        .name = name, .subnets = words(subnet, second, NULL), .ranges = words(range, NULL, NULL)};
    if (network_create(&home, &arena, &request, &network, &err) < 0) {
        printf("# %s\n", err.text);
        CHECK(false);
    }
    return network;
}

static int take(const struct network *network, const char *id, const struct address *four, const struct address *six,
                struct lease *ret, struct err *err) {
    AUTO_FD int folder_fd = network_open(&home, network, err);
    return folder_fd < 0 ? -1 : lease_take(&home, network, &(struct lease_wish){id, folder_fd, four, six}, ret, err);
}

static const char *taken(const struct network *network, const struct record_dir *dir, const char *wish) {
    struct address address;
    struct lease lease = {0};
    struct err err = {0};
    char text[2][ADDRESS_TEXT_SIZE];
    if (wish) {
        address = address_of(wish);
    }
    bool is_6 = wish && address.family == AF_INET6;
    if (take(network, dir->id, wish && !is_6 ? &address : NULL, is_6 ? &address : NULL, &lease, &err) < 0) {
        return arena_copy_string(&arena, err.text);
    }
    return arena_format(&arena, "%s%s%s", address_format(&lease.ipv4, text[0]), lease.ipv6.family ? " " : "",
                        lease.ipv6.family ? address_format(&lease.ipv6, text[1]) : "");
}

CASE(addresses_are_taken_one_after_another) {
    AUTO_RECORD_DIR struct record_dir a = {.fd = -1}, b = {.fd = -1}, c = {.fd = -1};
    struct network small = make("small", "203.0.113.0/29", NULL, "2001:db8:1::/64");
    CHECK(container(&a, "aa") == 0 && container(&b, "bb") == 0 && container(&c, "cc") == 0);
    CHECK_STR(taken(&small, &a, NULL), "203.0.113.2 2001:db8:1::2");
    CHECK_STR(taken(&small, &b, "203.0.113.2"), "address 203.0.113.2 of network small is taken by container aa");
    CHECK_STR(taken(&small, &a, "203.0.113.2"), "203.0.113.2 2001:db8:1::3");
    struct lease had = {.ipv4 = address_of("203.0.113.2"), .ipv6 = address_of("2001:db8:1::2")};
    snprintf(had.container, sizeof(had.container), "%s", a.id);
    lease_release(&home, small.id, &had);
    had.ipv6 = address_of("2001:db8:1::3");
    lease_release(&home, small.id, &had);
    CHECK_STR(taken(&small, &b, NULL), "203.0.113.3 2001:db8:1::4"); // what was just left rests
    CHECK_STR(taken(&small, &c, NULL), "203.0.113.4 2001:db8:1::5");
    CHECK_STR(taken(&small, &a, "203.0.113.9"), "address 203.0.113.9 lies outside of 203.0.113.0/29, the subnet of network small");
    CHECK_STR(taken(&small, &a, "203.0.113.7"), "address 203.0.113.7 of network small cannot be taken: no host can have it");
    CHECK_STR(taken(&small, &a, "203.0.113.1"), "address 203.0.113.1 of network small cannot be taken: it is the gateway's");
    CHECK_STR(taken(&small, &a, "2001:db8:1::5"), "address 2001:db8:1::5 of network small is taken by container cc");
    struct lease *leases;
    size_t count;
    struct err err = {0};
    CHECK(lease_list(&home, &arena, small.id, &leases, &count, &err) == 0 && count == 2);
    CHECK(network_remove(&home, &small, &err) < 0);
    CHECK(strstr(err.text, "network small is used by container ") && strstr(err.text, " and others; stop it or disconnect it first"));
}

CASE(all_are_given_and_stale_ones_again) {
    struct network tiny = make("tiny", "198.51.100.0/24", "198.51.100.8/30", NULL);
    struct record_dir dirs[4];
    struct err err = {0};
    for (size_t i = 0; i < 4; i++) {
        CHECK(container(&dirs[i], NULL) == 0);
        CHECK_STR(taken(&tiny, &dirs[i], NULL), arena_format(&arena, "198.51.100.%zu", 8 + i));
    }
    AUTO_RECORD_DIR struct record_dir more = {.fd = -1};
    CHECK(container(&more, "more") == 0);
    CHECK_STR(taken(&tiny, &more, NULL),
              "all addresses of network tiny are taken (198.51.100.8/30); remove containers, or make a larger network");
    CHECK_STR(taken(&tiny, &more, "198.51.100.77"), "198.51.100.77"); // a range is for those who do not ask
    record_dir_finish(&dirs[2]);                                      // ended, killed: nobody has released it
    CHECK_STR(taken(&tiny, &more, NULL), "198.51.100.10");
    record_dir_finish(&dirs[0]);
    leases_sweep(&home);
    struct stat status;
    CHECK(fstatat(home.store_fd, arena_format(&arena, "networks/%s/leases/198.51.100.8", tiny.id), &status, AT_SYMLINK_NOFOLLOW) <
          0);
    CHECK(fstatat(home.store_fd, arena_format(&arena, "networks/%s/leases/198.51.100.9", tiny.id), &status, AT_SYMLINK_NOFOLLOW) ==
          0);
    CHECK(network_remove(&home, &tiny, &err) < 0);
    record_dir_finish(&dirs[1]);
    record_dir_finish(&dirs[3]);
    record_dir_finish(&more);
    CHECK(network_remove(&home, &tiny, &err) == 0);
    CHECK_STR(taken(&tiny, &dirs[0], NULL), "network tiny has been removed");
    CHECK(network_remove(&home, &tiny, &err) < 0);
    CHECK_STR(err.text, "network tiny has been removed");
}

// Many processes at once: no address is given twice, to whomever and however it came by it.
CASE(no_address_is_given_twice) {
    enum { PROCESSES = 8, ROUNDS = 60 };
    struct network many = make("many", "198.18.7.64/28", NULL, NULL);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            for (int round = 0; round < ROUNDS; round++) {
                AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
                struct lease lease;
                struct err err = {0};
                char other[RECORD_ID_SIZE], text[ADDRESS_TEXT_SIZE];
                bool good = container(&dir, NULL) == 0 && take(&many, dir.id, NULL, NULL, &lease, &err) == 0;
                for (int look = 0; good && look < 20; look++) {
                    AUTO_FD int leases =
                        openat(home.store_fd, arena_format(&arena, "networks/%s/leases", many.id), O_RDONLY | O_DIRECTORY);
                    good = links_read(leases, address_format(&lease.ipv4, text), other) && strcmp(other, dir.id) == 0;
                }
                if (good && round % 3 == 0) {
                    lease_release(&home, many.id, &lease); // the others just end
                } else if (good && round % 3 == 1) {
                    leases_sweep(&home);
                }
                if (!good) {
                    fprintf(stderr, "%s\n", err.text);
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        CHECK(wait(&status) > 0 && status == 0);
    }
}

CASE(networks_are_found_and_debris_is_not) {
    struct network found = {0}, network = make("here", NULL, NULL, NULL), *all;
    struct err err = {0};
    size_t count;
    CHECK(network_find(&home, &arena, "here", &found, &err) == 0 && strcmp(found.id, network.id) == 0);
    CHECK(network_find(&home, &arena, network.id, &found, &err) == 0 && strcmp(found.name, "here") == 0);
    CHECK(network_find(&home, &arena, "", &found, &err) < 0 && network_find(&home, &arena, "../names/here", &found, &err) < 0);
    CHECK_STR(err.text, "no network is named \"../names/here\"; coffer network ls lists them");
    CHECK(network_find(&home, &arena, "none", &found, &err) == 0 && network_remove(&home, &found, &err) < 0);
    CHECK_STR(err.text, "network none is always there and cannot be removed");
    char *long_label = arena_alloc(&arena, 1100000);
    memset(long_label, 'x', 1099999);
    const struct network_request too_long = {.name = "long", .labels = words(long_label, NULL, NULL)};
    CHECK(network_create(&home, &arena, &too_long, &found, &err) < 0);
    CHECK(strstr(err.text, "network long: its labels and options are too long: ") && strstr(err.text, "expected 1048576 at most"));
    // Killed before it had a name, and a name that has outlived its folder.
    static const char dead[] = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
    AUTO_FD int networks = openat(home.store_fd, "networks", O_RDONLY | O_DIRECTORY);
    AUTO_FD int names = openat(networks, "names", O_RDONLY | O_DIRECTORY);
    struct stat status;
    CHECK(mkdirat(networks, dead, 0700) == 0 && mkdirat(networks, arena_format(&arena, "%s/leases", dead), 0700) == 0);
    CHECK(links_make(names, "ghost", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee") == 0);
    CHECK(network_list(&home, &arena, &all, &count, &err) == 0);
    make("ghost", NULL, NULL, NULL);
    CHECK(fstatat(networks, dead, &status, 0) < 0);
    CHECK(network_find(&home, &arena, "ghost", &found, &err) == 0 && strcmp(found.name, "ghost") == 0);
}

static int publish(const struct network *network, const struct lease *lease, const char *alias, struct err *err) {
    const struct network_names names = {.names = (const char *[]){"dd", alias}, .count = 2, .netns_fd = -1, .cgroup_fd = -1};
    return network_names_publish(&home, network, lease, &names, err);
}

CASE(names_are_published_with_the_lease) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    AUTO_RECORD_DIR struct record_dir dir = {.fd = -1};
    struct network network = make("named", "198.18.40.0/24", NULL, "2001:db8:40::/64");
    struct lease lease;
    struct err err = {0};
    CHECK(container(&dir, "dd") == 0 && take(&network, dir.id, NULL, NULL, &lease, &err) == 0);
    CHECK(publish(&network, &lease, "b d", &err) < 0);
    CHECK_STR(err.text, "name \"b d\": expected letters, digits, - and _, with dots between parts of at most 63");
    if (publish(&network, &lease, "alias", &err) < 0) {
        printf("# %s\n", err.text);
        CHECK(false);
    }
    AUTO_FD int folder_fd = network_open(&home, &network, &err);
    int pidfd = -1;
    CHECK(dns_find(folder_fd, &pidfd) > 0);
    AUTO_FD int file = openat(folder_fd, arena_format(&arena, "endpoints/%s", dir.id), O_RDONLY | O_CLOEXEC);
    char text[512] = "";
    CHECK(file >= 0 && read(file, text, sizeof(text) - 1) > 0);
    CHECK_STR(text, arena_format(&arena, "name dd\nname alias\nname %.12s\naddress 198.18.40.2\naddress 2001:db8:40::2\n", dir.id));
    record_dir_finish(&dir); // it ends; a sweep does what its command has not
    leases_sweep(&home);
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    CHECK(poll(&end, 1, 2000) == 1 && dns_find(folder_fd, NULL) == 0);
    close(pidfd);
    network.no_dns = true;
    CHECK(publish(&network, &lease, "alias", &err) == 0 && dns_find(folder_fd, NULL) == 0);
}

int main(void) {
    RUN(what_is_not_said_is_chosen);
    RUN(what_is_there_is_kept_out_of);
    RUN(subnets_and_what_is_in_them);
    RUN(names_and_drivers);
    RUN(options_and_labels);
    RUN(documents_are_read_as_they_were_written_and_checked);
    struct err err = {0};
    (void)unshare(CLONE_NEWNET); // where it may, the host's routes are none of its concern
    if (!mkdtemp(folder)) {
        return 1;
    }
    const struct engine engine = {.store = arena_format(&arena, "%s/store", folder),
                                  .root = arena_format(&arena, "%s/run", folder),
                                  .oci_root = arena_format(&arena, "%s/run/oci", folder)};
    if (home_open(&engine, &home, &err) < 0) {
        printf("# %s\n", err.text);
        return 1;
    }
    RUN(addresses_are_taken_one_after_another);
    RUN(all_are_given_and_stale_ones_again);
    RUN(no_address_is_given_twice);
    RUN(names_are_published_with_the_lease);
    RUN(networks_are_found_and_debris_is_not);
    home_finish(&home);
    arena_finish(&arena);
    return check_done() | (system(arena_format(&arena, "rm -rf %s", folder)) != 0);
}
