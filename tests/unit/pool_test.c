#include "tests/unit/check.h"

#include "runtime/base/err.h"
#include "runtime/net/address.h"
#include "runtime/net/pool.h"

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

CASE(addresses_are_whole) {
    static const char *const refused[] = {"",           "10.0.0",     "10.0.0.256", "010.0.0.1", "10.0.0.1 ", "10.0.0.1:53",
                                          "10.0.0.1/8", "fe80::1%lo", "::g",        "[::1]",     "1::2::3"};
    char text[ADDRESS_TEXT_SIZE];
    struct address address = {0};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        CHECK(address_parse("--ip", refused[i], &address, &err) < 0);
        CHECK(address.family == 0 && strstr(err.text, "expected an IPv4 or IPv6 address"));
    }
    CHECK(address_parse("--ip", "::ffff:10.0.0.1", &address, &err) < 0);
    CHECK_STR(err.text, "--ip \"::ffff:10.0.0.1\": write the IPv4 address that is in it");
    CHECK(address_parse("--ip", "::10.0.0.1", &address, &err) < 0);
    CHECK(address_parse("--ip", "::1", &address, &err) == 0 && address_bits(&address) == 128);
    CHECK(address_parse("--ip", "10.0.0.1", &address, &err) == 0 && address_bits(&address) == 32);
    CHECK_STR(address_format(&address, text), "10.0.0.1");
    struct address low = address_of("FD00:0::1"), high = address_of("fd00::1:0");
    CHECK_STR(address_format(&low, text), "fd00::1");
    CHECK(address_compare(&low, &high) < 0 && address_compare(&high, &low) > 0 && address_compare(&address, &low) < 0);
}

CASE(subnets_are_exact) {
    static const char *const refused[] = {"",
                                          "/",
                                          "10.0.0.0",
                                          "10.0.0.0/",
                                          "10.0.0.0/33",
                                          "10.0.0.0/-1",
                                          "10.0.0.0/08",
                                          "10.0.0.0/8x",
                                          "fd00::/129",
                                          "10.0/16",
                                          "10.0.0.0/ 8",
                                          "10.0.0.0/+8",
                                          "10.0.0.0/99999999999999999999"};
    struct subnet subnet = {0};
    struct err err = {0};
    char text[SUBNET_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        CHECK(subnet_parse("--subnet", refused[i], &subnet, &err) < 0 && strstr(err.text, "expected ADDRESS/PREFIX"));
    }
    CHECK(subnet_parse("--subnet", "10.1.2.3/20", &subnet, &err) < 0);
    CHECK_STR(err.text, "--subnet \"10.1.2.3/20\": the subnet of this address is 10.1.0.0/20");
    CHECK(subnet_parse("--subnet", "::ffff:10.0.0.0/104", &subnet, &err) < 0);
    CHECK_STR(err.text, "--subnet \"::ffff:10.0.0.0/104\": write the IPv4 subnet that is in it");
    CHECK(subnet_parse("--subnet", "0.0.0.0/0", &subnet, &err) == 0 && subnet_parse("--subnet", "::/0", &subnet, &err) == 0);
    subnet = subnet_of("fd00:1::/33");
    CHECK_STR(subnet_format(&subnet, text), "fd00:1::/33");
}

CASE(subnets_overlap_when_one_lies_in_the_other) {
    struct subnet wide = subnet_of("10.0.0.0/8"), narrow = subnet_of("10.1.2.0/24"), beside = subnet_of("10.1.3.0/24"),
                  all = subnet_of("0.0.0.0/0");
    struct subnet six = subnet_of("::/0"), ula = subnet_of("fd00::/8");
    CHECK(subnet_overlaps(&wide, &narrow) && subnet_overlaps(&narrow, &wide) && !subnet_overlaps(&narrow, &beside));
    CHECK(subnet_overlaps(&all, &beside) && !subnet_overlaps(&all, &ula) && subnet_overlaps(&six, &ula));
    CHECK(subnet_holds(&wide, &narrow) && !subnet_holds(&narrow, &wide) && subnet_holds(&narrow, &narrow));
    struct address last = address_of("10.1.2.255"), outside = address_of("10.1.3.0"), other = address_of("fd00::");
    CHECK(subnet_contains(&narrow, &last) && !subnet_contains(&narrow, &outside) && !subnet_contains(&narrow, &other));
}

CASE(hosts_and_places_of_a_subnet) {
    char first[ADDRESS_TEXT_SIZE], last[ADDRESS_TEXT_SIZE];
    struct subnet subnet = subnet_of("10.1.2.0/24");
    struct address_range hosts = subnet_hosts(&subnet);
    CHECK_STR(address_format(&hosts.first, first), "10.1.2.1");
    CHECK_STR(address_format(&hosts.last, last), "10.1.2.254");
    struct address address = {0};
    CHECK(subnet_nth(&subnet, 255, &address) && !subnet_nth(&subnet, 256, &address));
    CHECK_STR(address_format(&address, first), "10.1.2.255");
    subnet = subnet_of("fd00:0:0:1::/64");
    hosts = subnet_hosts(&subnet);
    CHECK_STR(address_format(&hosts.first, first), "fd00:0:0:1::1");
    CHECK_STR(address_format(&hosts.last, last), "fd00::1:ffff:ffff:ffff:ffff");
    CHECK(subnet_nth(&subnet, UINT64_MAX, &address) && address_is_equal(&address, &hosts.last));
    subnet = subnet_of("10.0.0.0/31");
    hosts = subnet_hosts(&subnet);
    CHECK(address_range_is_empty(&hosts));
    subnet = subnet_of("10.0.0.0/30");
    hosts = subnet_hosts(&subnet);
    struct address second = address_range_next(&hosts, &hosts.first), again = address_range_next(&hosts, &second);
    CHECK_STR(address_format(&second, first), "10.0.0.2");
    CHECK(address_is_equal(&again, &hosts.first) && !address_range_is_empty(&hosts));
}

CASE(some_subnets_are_not_for_containers) {
    struct err err = {0};
    struct subnet subnet = subnet_of("127.1.0.0/16");
    CHECK(subnet_check_private("--subnet", &subnet, &err) < 0);
    CHECK_STR(err.text, "--subnet 127.1.0.0/16: no container can have an address in it: 127.0.0.0/8 is loopback");
    static const char *const refused[] = {"0.0.0.0/8", "169.254.0.0/24", "224.1.0.0/16", "255.0.0.0/8", "::/16",     "fe80::/64",
                                          "ff02::/16", "168.0.0.0/7",    "10.0.0.0/31",  "10.0.0.0/32", "fd00::/127"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        subnet = subnet_of(refused[i]);
        CHECK(subnet_check_private("--subnet", &subnet, &err) < 0);
    }
    static const char *const fine[] = {"10.0.0.0/8", "203.0.113.0/24", "fd00::/8", "2001:db8::/126", "192.168.0.0/30"};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        subnet = subnet_of(fine[i]);
        CHECK(subnet_check_private("--subnet", &subnet, &err) == 0);
    }
}

static const char *chosen(const struct pool *pool, uint64_t start, const char *const *taken, size_t count,
                          char text[SUBNET_TEXT_SIZE]) {
    struct subnet subnets[8], subnet;
    for (size_t i = 0; i < count; i++) {
        subnets[i] = subnet_of(taken[i]);
    }
    return pool_choose(pool, start, subnets, count, &subnet) ? subnet_format(&subnet, text) : "none";
}

CASE(a_pool_gives_what_overlaps_nothing) {
    char text[SUBNET_TEXT_SIZE];
    const struct pool pool = {.span = subnet_of("10.201.0.0/16"), .prefix = 24};
    CHECK_STR(chosen(&pool, 0, NULL, 0, text), "10.201.0.0/24");
    CHECK_STR(chosen(&pool, 0, (const char *[]){"10.201.0.0/24", "10.201.1.128/25"}, 2, text), "10.201.2.0/24");
    CHECK_STR(chosen(&pool, 0, (const char *[]){"10.201.0.0/17", "10.201.128.0/32"}, 2, text), "10.201.129.0/24");
    CHECK_STR(chosen(&pool, 0, (const char *[]){"10.201.1.0/24", "10.201.0.7/32"}, 2, text), "10.201.2.0/24");
    CHECK_STR(chosen(&pool, 0, (const char *[]){"10.0.0.0/8"}, 1, text), "none");
    CHECK_STR(chosen(&pool, 0, (const char *[]){"10.201.128.0/17", "10.201.0.0/17"}, 2, text), "none");
    CHECK_STR(chosen(&pool, 0, (const char *[]){"fd00::/8", "10.202.0.0/16"}, 2, text), "10.201.0.0/24");
    CHECK_STR(chosen(&pool, 255, NULL, 0, text), "10.201.255.0/24");
    CHECK_STR(chosen(&pool, 511, (const char *[]){"10.201.255.0/24"}, 1, text), "10.201.0.0/24");
    const struct pool whole = {.span = subnet_of("10.201.0.0/16"), .prefix = 16};
    CHECK_STR(chosen(&whole, 7, NULL, 0, text), "10.201.0.0/16");
    const struct pool local = {.span = subnet_of("fd00::/8"), .prefix = 64};
    CHECK_STR(chosen(&local, 0x123456789abcde, NULL, 0, text), "fd12:3456:789a:bcde::/64");
    CHECK_STR(chosen(&local, 0x123456789abcde, (const char *[]){"fd12::/16"}, 1, text), "fd13::/64");
    CHECK_STR(chosen(&local, UINT64_MAX, (const char *[]){"fdff::/16"}, 1, text), "fd00::/64");
}

int main(void) {
    RUN(addresses_are_whole);
    RUN(subnets_are_exact);
    RUN(subnets_overlap_when_one_lies_in_the_other);
    RUN(hosts_and_places_of_a_subnet);
    RUN(some_subnets_are_not_for_containers);
    RUN(a_pool_gives_what_overlaps_nothing);
    return check_done();
}
