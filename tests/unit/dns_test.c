// Names of containers: messages and tables, without a network.
#include "tests/unit/check.h"
#include "tests/unit/folder.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/net/dns_message.h"
#include "runtime/net/dns_names.h"
#include "runtime/net/resolv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct address address_of(const char *text) {
    struct address address = {0};
    struct err err = {0};
    CHECK(address_parse("test", text, &address, &err) == 0);
    return address;
}

// A query: header, the name's labels from "a.b", type, class.
struct message {
    uint8_t bytes[2048];
    size_t size;
};

static struct message query_of(const char *name, uint16_t type) {
    struct message message = {.bytes = {0x12, 0x34, 0x01, 0x00, 0, 1}, .size = 12};
    while (*name) {
        size_t length = strcspn(name, ".");
        message.bytes[message.size++] = (uint8_t)length;
        memcpy(message.bytes + message.size, name, length);
        message.size += length;
        name += length + (name[length] == '.');
    }
    const uint8_t tail[] = {0, (uint8_t)(type >> 8), (uint8_t)type, 0, 1};
    memcpy(message.bytes + message.size, tail, sizeof(tail));
    message.size += sizeof(tail);
    return message;
}

static void add_edns(struct message *message, uint16_t room) {
    const uint8_t opt[] = {0, 0, 41, (uint8_t)(room >> 8), (uint8_t)room, 0, 0, 0, 0, 0, 0};
    memcpy(message->bytes + message->size, opt, sizeof(opt));
    message->size += sizeof(opt);
    message->bytes[11] = 1;
}

CASE(queries_are_read) {
    struct message message = query_of("Web.Example", DNS_TYPE_AAAA);
    struct dns_query query;
    enum dns_code code;
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && code == DNS_NO_ERROR);
    CHECK_STR(query.name, "web.example");
    CHECK(query.is_plain && query.type == DNS_TYPE_AAAA && query.class == DNS_CLASS_IN && !query.has_edns && query.room == 512);
    CHECK(query.question_end == message.size);
    add_edns(&message, 4096);
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && query.has_edns && query.room == DNS_OWN_SIZE);
    message = query_of("x", DNS_TYPE_A);
    add_edns(&message, 100);
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && query.room == 512);
    message = query_of("", DNS_TYPE_A);
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && query.is_plain && strcmp(query.name, "") == 0);
    message = query_of("a*b.c", DNS_TYPE_A);
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && code == DNS_NO_ERROR && !query.is_plain);
    memcpy(message.bytes + 13, "a.b", 3); // a dot within a label is no dot between labels
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && !query.is_plain);
}

static enum dns_code code_of(const struct message *message, size_t size) {
    struct dns_query query;
    enum dns_code code = DNS_REFUSED;
    return dns_read_query(message->bytes, size, &query, &code) < 0 ? DNS_REFUSED : code;
}

CASE(queries_that_are_none) {
    struct message good = query_of("web.example", DNS_TYPE_A), message = good;
    for (size_t size = 0; size < good.size; size++) {
        CHECK(code_of(&good, size) == (size < DNS_HEADER_SIZE ? DNS_REFUSED : DNS_FORMAT_ERROR));
    }
    message.bytes[2] |= 0x80; // an answer
    CHECK(code_of(&message, message.size) == DNS_REFUSED);
    message = good;
    message.bytes[2] |= 0x28; // an update
    CHECK(code_of(&message, message.size) == DNS_NOT_IMPLEMENTED);
    message = good;
    message.bytes[5] = 2;
    CHECK(code_of(&message, message.size) == DNS_FORMAT_ERROR);
    message.bytes[5] = 0;
    CHECK(code_of(&message, message.size) == DNS_FORMAT_ERROR);
    static const uint8_t lengths[] = {0xc0, 0x40, 0x80, 64, 255};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) { // pointers, to itself and elsewhere, and lengths that there are not
        message = good;
        message.bytes[12] = lengths[i];
        CHECK(code_of(&message, message.size) == DNS_FORMAT_ERROR);
    }
    // 255 bytes are a name, 256 are not.
    char name[300];
    memset(name, 'a', sizeof(name));
    name[63] = name[127] = name[191] = '.';
    name[253] = '\0';
    message = query_of(name, DNS_TYPE_A);
    struct dns_query query;
    enum dns_code code;
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0 && code == DNS_NO_ERROR);
    CHECK_STR(query.name, name);
    name[253] = 'a';
    name[254] = '\0';
    message = query_of(name, DNS_TYPE_A);
    CHECK(code_of(&message, message.size) == DNS_FORMAT_ERROR);
}

CASE(reverse_names) {
    static const struct {
        const char *name, *address;
    } cases[] = {
        {"4.3.2.10.in-addr.arpa", "10.2.3.4"},
        {"0.0.0.0.in-addr.arpa", "0.0.0.0"},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.a.d.f.ip6.arpa", "fdab::1"},
        {"256.3.2.10.in-addr.arpa", NULL},
        {"04.3.2.10.in-addr.arpa", NULL},
        {"3.2.10.in-addr.arpa", NULL},
        {"5.4.3.2.10.in-addr.arpa", NULL},
        {".4.3.2.10.in-addr.arpa", NULL},
        {"4.3.2.10..in-addr.arpa", NULL},
        {"in-addr.arpa", NULL},
        {"4.3.2.10.in-addr.arpa.x", NULL},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.a.d.g.ip6.arpa", NULL},
        {"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.a.d.f.ip6.arpa", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct address address = {0};
        char text[ADDRESS_TEXT_SIZE];
        CHECK(dns_read_reverse(cases[i].name, &address) == (cases[i].address != NULL));
        CHECK_STR(address_format(&address, text), cases[i].address ? cases[i].address : "");
    }
}

CASE(answers_are_written) {
    struct message message = query_of("Web", DNS_TYPE_A);
    struct dns_query query;
    enum dns_code code;
    uint8_t out[DNS_MAX_SIZE];
    struct address addresses[100];
    for (size_t i = 0; i < 100; i++) {
        addresses[i] = address_of("10.0.0.1");
        addresses[i].bytes[3] = (uint8_t)i;
    }
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0);
    size_t size = dns_write_addresses(message.bytes, &query, addresses + 7, 1, out, 512);
    static const uint8_t expected[] = {0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 3,  'W', 'e', 'b', 0, 0, 1, 0, 1, //
                                       0xc0, 12,   0,    1,    0, 1, 0, 0, 0, 5, 0, 4, 10, 0,   0,   7};
    CHECK(size == sizeof(expected) && memcmp(out, expected, size) == 0);
    size = dns_write_addresses(message.bytes, &query, addresses, 100, out, query.room);
    CHECK(size <= 512 && out[2] == 0x87 && out[7] == (512 - message.size) / 16); // cut off, and said so
    size = dns_write_addresses(message.bytes, &query, addresses, 100, out, DNS_MAX_SIZE);
    CHECK(size == message.size + 1600 && out[2] == 0x85 && out[7] == 100);
    size = dns_write_code(message.bytes, &query, DNS_NO_SUCH_NAME, out, 512);
    CHECK(size == message.size && out[2] == 0x81 && out[3] == 0x83);
    add_edns(&message, 1400);
    CHECK(dns_read_query(message.bytes, message.size, &query, &code) == 0);
    size = dns_write_name(message.bytes, &query, "web.front", out, query.room);
    CHECK(size == query.question_end + 12 + 11 + 11 && out[7] == 1 && out[11] == 1);
    CHECK(memcmp(out + query.question_end + 12, "\3web\5front", 11) == 0 && memcmp(out + size - 11, "\0\0\51\4\320", 5) == 0);
    size = dns_write_addresses(message.bytes, &query, addresses, 100, out, query.room);
    CHECK(size <= DNS_OWN_SIZE && out[2] == 0x87 && out[11] == 1);
    // What could not be read is not repeated.
    CHECK(dns_read_query(message.bytes, 14, &query, &code) == 0 && code == DNS_FORMAT_ERROR);
    CHECK(dns_write_code(message.bytes, &query, code, out, 512) == 12 && out[5] == 0 && out[3] == 0x81);
}

CASE(answers_of_others_are_judged) {
    struct message query = query_of("Www.example", DNS_TYPE_A), answer = query_of("wWw.EXAMPLE", DNS_TYPE_A), other;
    answer.bytes[2] = 0x81;
    answer.bytes[3] = 0x80;
    CHECK(dns_judge(answer.bytes, answer.size, query.bytes, query.size) == DNS_REPLY_GOOD);
    answer.bytes[3] = 0x83;
    CHECK(dns_judge(answer.bytes, answer.size, query.bytes, query.size) == DNS_REPLY_GOOD);
    static const uint8_t failures[] = {1, 2, 4, 5, 9};
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        other = answer;
        other.bytes[3] = failures[i];
        CHECK(dns_judge(other.bytes, other.size, query.bytes, query.size) == DNS_REPLY_FAILED);
        other.bytes[5] = 0;
        CHECK(dns_judge(other.bytes, 12, query.bytes, query.size) == DNS_REPLY_FAILED);
    }
    other = answer;
    other.bytes[2] |= 2;
    CHECK(dns_judge(other.bytes, other.size, query.bytes, query.size) == DNS_REPLY_TRUNCATED);
    static const size_t places[] = {0, 1, 12, 13, 16, 24, 25, 26, 27, 28};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) { // another id, name, type or class
        other = answer;
        other.bytes[places[i]] ^= 1;
        CHECK(dns_judge(other.bytes, other.size, query.bytes, query.size) == DNS_REPLY_STRANGE);
    }
    other = answer;
    other.bytes[2] &= 0x7f; // a query
    CHECK(dns_judge(other.bytes, other.size, query.bytes, query.size) == DNS_REPLY_STRANGE);
    other = answer;
    other.bytes[5] = 0;
    CHECK(dns_judge(other.bytes, other.size, query.bytes, query.size) == DNS_REPLY_STRANGE);
    for (size_t size = 0; size < answer.size; size++) {
        CHECK(dns_judge(answer.bytes, size, query.bytes, query.size) == DNS_REPLY_STRANGE);
    }
}

// --- tables ---

// What a name stands for, as text.
static const char *found(const struct dns_table *table, const char *name, uint8_t family, unsigned turn) {
    struct address addresses[8];
    bool known;
    AUTO_BUF struct buf text = {0};
    size_t count = dns_table_find(table, name, family, turn, addresses, ARRAY_LEN(addresses), &known);
    for (size_t i = 0; i < count; i++) {
        char one[ADDRESS_TEXT_SIZE];
        buf_add_format(&text, "%s%s", i ? " " : "", address_format(&addresses[i], one));
    }
    return known ? arena_copy_string(&arena, buf_string(&text)) : "unknown";
}

CASE(tables_of_names) {
    AUTO_DNS_TABLE struct dns_table table = {0};
    static const char one[] = "name web\nname WWW\nname www\naddress 10.0.0.2\naddress fd00::2\n";
    static const char two[] = "name db\nname www\naddress 10.0.0.3";
    static const char bad[] =
        "name a b\nname \nname ..\nname x..y\nname .\nname -\naddress 10.0.0.300\naddress\nname\n\n\0name nul\naddress 10.0.0.9\n";
    dns_table_add(&table, one, sizeof(one) - 1);
    dns_table_add(&table, two, sizeof(two) - 1);
    dns_table_add(&table, bad, sizeof(bad) - 1);
    dns_table_sort(&table);
    CHECK_INT(table.endpoint_count, 3);
    CHECK_STR(found(&table, "web", AF_INET, 0), "10.0.0.2");
    CHECK_STR(found(&table, "web", AF_INET6, 0), "fd00::2");
    CHECK_STR(found(&table, "web", 0, 0), "10.0.0.2 fd00::2");
    CHECK_STR(found(&table, "db", AF_INET6, 0), "");
    CHECK_STR(found(&table, "www", AF_INET, 0), "10.0.0.2 10.0.0.3");
    CHECK_STR(found(&table, "www", AF_INET, 1), "10.0.0.3 10.0.0.2");
    CHECK_STR(found(&table, "www", AF_INET, 2), "10.0.0.2 10.0.0.3");
    CHECK_STR(found(&table, "ww", 0, 0), "unknown");
    CHECK_STR(found(&table, "", 0, 0), "unknown");
    CHECK_STR(found(&table, "zz", 0, 0), "unknown");
    CHECK_STR(found(&table, "-", AF_INET, 0), "10.0.0.9");
    struct address address = address_of("fd00::2");
    CHECK_STR(dns_table_name(&table, &address), "web");
    address = address_of("10.0.0.3");
    CHECK_STR(dns_table_name(&table, &address), "db");
    address = address_of("10.0.0.4");
    CHECK(dns_table_name(&table, &address) == NULL);
}

CASE(endpoints_say_whom_else_to_ask) {
    AUTO_DNS_TABLE struct dns_table table = {0};
    static const char one[] = "name web\naddress 10.0.0.2\naddress fd00::2\nserver 9.9.9.9\nserver x\nbeside 10.1.0.1\nbeside fd01::1\n";
    static const char two[] = "name db\naddress 10.0.0.3\n";
    dns_table_add(&table, two, sizeof(two) - 1);
    dns_table_add(&table, one, sizeof(one) - 1);
    dns_table_sort(&table);
    struct address address = address_of("fd00::2");
    const struct dns_asks *asks = dns_table_asks(&table, &address);
    CHECK(asks && asks->server_count == 1 && asks->beside_count == 2);
    address = address_of("fd01::1");
    CHECK(asks && address_is_equal(&asks->besides[1], &address));
    address = address_of("10.0.0.3");
    CHECK(dns_table_asks(&table, &address) == NULL);
    address = address_of("10.0.0.9");
    CHECK(dns_table_asks(&table, &address) == NULL);
}

CASE(endpoints_are_published_and_withdrawn) {
    CHECK(mkdir(path("endpoints"), 0700) == 0);
    AUTO_FD int fd = open(path("endpoints"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err err = {0};
    const struct address addresses[] = {address_of("10.0.0.2")};
    const char *names[] = {"web", "long.alias_1"};
    struct dns_endpoint endpoint = {"0123456789abcdef", names, 2, addresses, 1, NULL, 0, NULL, 0};
    struct dns_table table;
    mode_t before = umask(077);
    CHECK(dns_names_publish(fd, &endpoint, &err) == 0);
    umask(before);
    struct stat status;
    CHECK(fstatat(fd, endpoint.container, &status, 0) == 0 && (status.st_mode & 0777) == 0644);
    CHECK(dns_table_read(fd, &table, &err) == 0 && table.endpoint_count == 1);
    CHECK_STR(found(&table, "long.alias_1", 0, 0), "10.0.0.2");
    dns_table_finish(&table);
    names[1] = "not this\n";
    CHECK(dns_names_publish(fd, &endpoint, &err) < 0);
    CHECK_STR(err.text, "name \"not this\\x0a\": expected letters, digits, - and _, with dots between parts of at most 63");
    write_file("endpoints/0123.new", "name cut\naddress 10.0.0.7\n"); // of a command that was killed
    CHECK(dns_table_read(fd, &table, &err) == 0 && table.endpoint_count == 1);
    dns_table_finish(&table);
    dns_names_withdraw(fd, endpoint.container);
    CHECK(dns_table_read(fd, &table, &err) == 0 && table.endpoint_count == 0);
    CHECK(unlink(path("endpoints/0123.new")) == 0 && rmdir(path("endpoints")) == 0);
    CHECK(dns_table_read(fd, &table, &err) == 0 && table.endpoint_count == 0); // gone with its network
}

// --- resolv.conf ---

CASE(resolv_conf_is_read) {
    static const char text[] =
        "# nameserver 1.1.1.1\n; nameserver 1.1.1.1\n  nameserver\t10.0.0.53 \nnameserver 127.0.0.53\nnameserver 10.0.0.53\n"
        "nameserver fe80::1%eth0\nnameserver 10.0.0.1%eth0\nnameserver ::ffff:9.9.9.9\nnameserver x\nnameserver\n"
        "domain old.example\nsearch  a.example\tb.example \r\noptions ndots:2 edns0\noptions rotate\nsortlist 1\n"
        "nameserver 8.8.8.1\nnameserver 8.8.8.2\nnameserver 8.8.8.3\nnameserver 8.8.8.4\nnameserver 8.8.8.5";
    struct resolv resolv, more;
    char address[ADDRESS_TEXT_SIZE];
    resolv_parse(text, sizeof(text) - 1, &resolv);
    static const char *const expected[] = {"10.0.0.53", "127.0.0.53", "fe80::1", "8.8.8.1", "8.8.8.2", "8.8.8.3"};
    CHECK_INT(resolv.server_count, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        CHECK_STR(address_format(&resolv.servers[i].address, address), expected[i]);
    }
    CHECK_STR(resolv.servers[2].scope, "eth0");
    CHECK_STR(resolv.search, "a.example b.example");
    CHECK_STR(resolv.options, "ndots:2 edns0 rotate");
    CHECK(resolv_has_stub(&resolv));
    resolv_parse("nameserver 9.9.9.9\nnameserver 10.0.0.53", 40, &more);
    resolv.server_count = 1;
    CHECK(!resolv_has_stub(&resolv));
    resolv_add_servers(&resolv, &more);
    CHECK_INT(resolv.server_count, 2);
    resolv_parse("", 0, &resolv);
    CHECK_INT(resolv.server_count, 0);
    char *lines = arena_alloc(&arena, 8000);
    memset(lines, 'a', 7999);
    memcpy(lines, "search ", 7);
    resolv_parse(lines, 7999, &resolv);
    CHECK_STR(resolv.search, "");
}

CASE(resolv_conf_is_made) {
    static const char text[] = "nameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver 9.9.9.9\nsearch a "
                               "b\noptions ndots:5 edns0 rotate\n";
    struct resolv host, empty = {0};
    const struct address gateways[] = {address_of("10.201.0.1"), address_of("fd00::1")};
    AUTO_BUF struct buf made = {0};
    resolv_parse(text, sizeof(text) - 1, &host);
    resolv_for_container(&host, gateways, 2, &made);
    CHECK_STR(buf_string(&made), "nameserver 10.201.0.1\nnameserver fd00::1\nsearch a b\noptions ndots:0 edns0 rotate\n");
    buf_clear(&made);
    resolv_for_container(&host, NULL, 0, &made);
    CHECK_STR(buf_string(&made), "nameserver 9.9.9.9\nsearch a b\noptions ndots:5 edns0 rotate\n");
    buf_clear(&made);
    resolv_for_container(&empty, gateways, 1, &made);
    CHECK_STR(buf_string(&made), "nameserver 10.201.0.1\noptions ndots:0\n");
    buf_clear(&made);
    resolv_for_container(&empty, NULL, 0, &made);
    CHECK_STR(buf_string(&made), "");
}

int main(void) {
    if (!mkdtemp(folder)) {
        return 1;
    }
    RUN(queries_are_read);
    RUN(queries_that_are_none);
    RUN(reverse_names);
    RUN(answers_are_written);
    RUN(answers_of_others_are_judged);
    RUN(tables_of_names);
    RUN(endpoints_say_whom_else_to_ask);
    RUN(endpoints_are_published_and_withdrawn);
    RUN(resolv_conf_is_read);
    RUN(resolv_conf_is_made);
    rmdir(folder);
    arena_finish(&arena);
    return check_done();
}
