// Networks that a container is on, as words and as the record has them.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/strv.h"
#include "runtime/engine/attachment.h"
#include "runtime/engine/request.h"
#include "tests/unit/check.h"

#include <string.h>

static struct arena arena;

static const char *refused(const char *text) {
    static struct err err;
    struct attachment attachment;
    return attachment_parse(&arena, text, &attachment, &err) < 0 || attachment_check("--network", &attachment, &err) < 0 ? err.text
                                                                                                                         : "taken";
}

CASE(words_are_read) {
    struct attachment one;
    struct err err;
    CHECK(attachment_parse(&arena, "mine", &one, &err) == 0);
    CHECK_STR(one.network, "mine");
    CHECK(attachment_parse(&arena,
                           "alias=a,name=mine,alias=b,ip=10.0.0.9,ip6=fd00::9,mac-address=02:00:00:00:00:09,gw-priority=-5,"
                           "driver-opt=com.docker.network.endpoint.ifname=wan",
                           &one, &err) == 0);
    CHECK_STR(one.network, "mine");
    CHECK_INT(one.aliases_count, 2);
    CHECK_STR(one.aliases[1], "b");
    CHECK_STR(one.ip6, "fd00::9");
    CHECK_STR(one.link_name, "wan");
    CHECK_INT(one.gw_priority, -5);
    CHECK(attachment_check("--network", &one, &err) == 0);
}

CASE(words_that_make_no_sense) {
    CHECK_STR(refused(""), "--network: expected a network's name, found nothing");
    CHECK_STR(refused("name="), "--network name=: field \"name\": expected a value behind =");
    CHECK_STR(refused("name=a,,"), "--network name=a,,: field \"\": expected a value behind =");
    CHECK_STR(refused("ip=10.0.0.1"), "--network ip=10.0.0.1: which network is missing: name=NETWORK");
    CHECK_STR(refused("name=a,gw-priority=high"),
              "--network name=a,gw-priority=high: gw-priority: expected a number, found \"high\"");
    CHECK_STR(refused("name=a,ip6=10.0.0.1"), "--network: network a: expected an IPv6 address, found \"10.0.0.1\"");
    CHECK_STR(refused("name=a,driver-opt=x=y"),
              "--network name=a,driver-opt=x=y: driver-opt: \"x=y\": this version has "
              "com.docker.network.endpoint.ifname=NAME; --sysctl sets what is the whole container's");
    CHECK(strstr(refused("name=a,alias=a b"), "expected letters, digits"));
    CHECK(strstr(refused("name=a,driver-opt=com.docker.network.endpoint.ifname=a/b"), "network interface"));
    CHECK(strstr(refused("name=a,mac-address=02:00:00:00:00"), "expected a hardware address"));
    CHECK(strstr(refused("name=a,mac-address=00:00:00:00:00:00"), "expected a hardware address"));
    CHECK(strstr(refused("name=a,mac-address=02:00:00:00:00:0g"), "expected a hardware address"));
}

static const char *listed(const char *network, const char *const *words) {
    static struct err err;
    AUTO_STRV struct strv networks = {0};
    struct run_request request = {.network = network, .ip = "10.0.0.5"};
    struct attachment_list list;
    for (; *words; words++) {
        strv_add(&networks, *words);
    }
    request.networks = networks;
    return attachment_list_parse(&request, &arena, &list, &err) < 0 ? err.text : attachment_list_write(&list, false, &arena);
}

CASE(lists_of_requests) {
    CHECK_STR(listed("bridge", (const char *const[]){NULL}), "{\"items\":[{\"network\":\"bridge\",\"ip\":\"10.0.0.5\"}]}");
    CHECK_STR(listed("a", (const char *const[]){"a", "name=b,gw-priority=2", NULL}),
              "{\"items\":[{\"network\":\"a\",\"ip\":\"10.0.0.5\"},{\"network\":\"b\",\"gwPriority\":2,\"number\":1}]}");
    CHECK_STR(listed("a", (const char *const[]){"a", "a", NULL}), "--network a is given twice");
    CHECK_STR(listed("a", (const char *const[]){"a", "container:b", NULL}), "--network container:b excludes other networks");
    CHECK_STR(listed("host", (const char *const[]){"host", "a", NULL}), "--network host excludes other networks");
    CHECK_STR(listed("none", (const char *const[]){"none", NULL}), "--ip and --network none exclude each other");
    CHECK_STR(listed("name=a,ip=10.0.0.9", (const char *const[]){"name=a,ip=10.0.0.9", NULL}),
              "network a: its address is given twice, by --network and by a flag of its own");
}

CASE(the_record_has_what_is_and_what_is_wished_for) {
    struct err err;
    struct attachment items[] = {
        {.network = "a", .network_id = "1", .network_name = "a", .ipv4 = "10.0.0.2", .prefix4 = 24},
        {.network = "b", .number = 2, .mac = "02:00:00:00:00:01"},
    };
    struct attachment_port ports[] = {{"tcp", "", 8080, "10.0.0.2", 80}};
    const struct attachment_list list = {items, 2, ports, 1};
    struct attachment_list read = {0};
    CHECK(attachment_list_read(attachment_list_write(&list, true, &arena), &arena, &read, &err) == 0);
    CHECK_INT(read.items_count, 2);
    CHECK_STR(read.items[0].ipv4, "10.0.0.2");
    CHECK_STR(read.items[1].mac, "02:00:00:00:00:01");
    CHECK_INT(read.ports_count, 1);
    CHECK_INT(read.ports[0].host_port, 8080);
    CHECK_INT(attachment_free_number(&read), 1);
    read = (struct attachment_list){0};
    CHECK(attachment_list_read(attachment_list_write(&list, false, &arena), &arena, &read, &err) == 0);
    CHECK(read.items[0].ipv4 == NULL && read.ports_count == 0);
    CHECK(attachment_list_read("{}", &arena, &read, &err) == 0 && attachment_list_read("[]", &arena, &read, &err) < 0);
}

CASE(names_of_interfaces) {
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char name[IF_NAMESIZE];
    CHECK_STR(attachment_host_name(id, 0, name), "cv-0123456789ab");
    CHECK_STR(attachment_host_name(id, 1, name), "cv1-0123456789a");
    CHECK_STR(attachment_host_name(id, 31, name), "cv31-0123456789");
    CHECK_STR(attachment_link_name(&(struct attachment){.number = 3}, name), "eth3");
    CHECK_STR(attachment_link_name(&(struct attachment){.number = 3, .link_name = "wan"}, name), "wan");
}

int main(void) {
    RUN(words_are_read);
    RUN(words_that_make_no_sense);
    RUN(lists_of_requests);
    RUN(the_record_has_what_is_and_what_is_wished_for);
    RUN(names_of_interfaces);
    arena_finish(&arena);
    return check_done();
}
