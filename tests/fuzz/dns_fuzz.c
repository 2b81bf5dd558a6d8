// DNS. The first byte says what the rest is: a query, an answer to one of our own, a file of an endpoint, or resolv.conf. Whatever
// is answered is as long as it says, and is the answer to what was asked.
#include "runtime/net/dns_message.h"
#include "runtime/net/dns_names.h"
#include "runtime/net/resolv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

static void try_query(const uint8_t *data, size_t size) {
    static uint8_t out[DNS_MAX_SIZE];
    struct address addresses[70] = {{0}}, reverse;
    struct dns_query query;
    enum dns_code code;
    if (dns_read_query(data, size, &query, &code) < 0) {
        return;
    }
    need(memchr(query.name, '\0', sizeof(query.name)) != NULL && query.question_end <= size && query.room >= DNS_PLAIN_SIZE &&
         query.room <= DNS_OWN_SIZE);
    need(dns_write_code(data, &query, DNS_REFUSED, out, query.room) <= query.room);
    if (code != DNS_NO_ERROR) {
        return;
    }
    for (size_t i = 0; i < 70; i++) {
        addresses[i].family = i % 3 ? AF_INET : AF_INET6;
    }
    (void)dns_read_reverse(query.name, &reverse);
    size_t answered = dns_write_addresses(data, &query, addresses, 70, out, query.room);
    need(answered <= query.room && dns_judge(out, answered, data, query.question_end) >= DNS_REPLY_GOOD);
    answered = dns_write_name(data, &query, "a.name.of-ours", out, query.room);
    need(answered <= query.room && dns_judge(out, answered, data, query.question_end) != DNS_REPLY_STRANGE);
}

static void try_answer(const uint8_t *data, size_t size) {
    static const uint8_t query[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'W', 'w', 1, 'x', 0, 0, 1, 0, 1};
    if (dns_judge(data, size, query, sizeof(query)) == DNS_REPLY_GOOD) {
        need(size >= sizeof(query) && data[0] == 0x12 && data[1] == 0x34 && data[2] & 0x80);
    }
}

static void try_table(const uint8_t *data, size_t size) {
    AUTO_DNS_TABLE struct dns_table table = {0};
    struct address addresses[4];
    bool known;
    const void *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t half = zero ? (size_t)((const uint8_t *)zero - data) : size;
    dns_table_add(&table, (const char *)data, half);
    dns_table_add(&table, (const char *)data + half, size - half);
    dns_table_sort(&table);
    need(dns_table_find(&table, "web", AF_INET, 3, addresses, 4, &known) <= 4);
    for (size_t at = 0; at < table.text.size; at += strlen(table.text.data + at) + 1) {
        need(dns_table_find(&table, table.text.data + at, 0, 1, addresses, 4, &known) <= 4);
    }
}

static void try_resolv(const uint8_t *data, size_t size) {
    struct resolv resolv, twice;
    resolv_parse((const char *)data, size, &resolv);
    need(resolv.server_count <= RESOLV_MAX_SERVERS && strlen(resolv.search) < sizeof(resolv.search));
    twice = resolv;
    resolv_add_servers(&twice, &resolv);
    need(twice.server_count == resolv.server_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const tries[])(const uint8_t *, size_t) = {try_query, try_answer, try_table, try_resolv};
    if (size > 0 && size <= 1 << 13) {
        tries[data[0] % 4](data + 1, size - 1);
    }
    return 0;
}
