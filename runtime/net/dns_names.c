#include "runtime/net/dns_names.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dns_table_name {
    uint32_t text; // where it begins
    struct address address;
};

struct dns_table_address {
    struct address address;
    uint32_t text;
    uint32_t asks; // its number, from 1 on; 0: none
};

// --- files ---

static bool is_name(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t whole = strlen(name);
    for (const char *label = name; whole > 0 && whole <= 253;) {
        size_t length = strspn(label, letters);
        if (length == 0 || length > 63) {
            return false;
        }
        if (!label[length]) {
            return true;
        }
        if (label[length] != '.') {
            return false;
        }
        label += length + 1;
    }
    return false;
}

int dns_name_check(const char *what, const char *name, struct err *err) {
    char quoted[QUOTE_SIZE];
    return is_name(name)
               ? 0
               : err_set(err, ERR_INPUT, "%s %s: expected letters, digits, - and _, with dots between parts of at most 63", what,
                         quote_text(name, quoted));
}

static int make_text(const struct dns_endpoint *endpoint, struct buf *text, struct err *err) {
    char address[ADDRESS_TEXT_SIZE];
    if (endpoint->name_count > DNS_MAX_NAMES || endpoint->address_count > DNS_MAX_ADDRESSES) {
        return err_set(err, ERR_INPUT, "container %.12s: %zu names on one network; expected %d at most", endpoint->container,
                       endpoint->name_count, DNS_MAX_NAMES);
    }
    for (size_t i = 0; i < endpoint->name_count; i++) {
        if (dns_name_check("name", endpoint->names[i], err) < 0) {
            return -1;
        }
        buf_add_format(text, "name %s\n", endpoint->names[i]);
    }
    for (size_t i = 0; i < endpoint->address_count; i++) {
        buf_add_format(text, "address %s\n", address_format(&endpoint->addresses[i], address));
    }
    for (size_t i = 0; i < endpoint->server_count && i < DNS_MAX_SERVERS; i++) {
        buf_add_format(text, "server %s\n", address_format(&endpoint->servers[i], address));
    }
    for (size_t i = 0; i < endpoint->beside_count && i < DNS_MAX_BESIDES; i++) {
        buf_add_format(text, "beside %s\n", address_format(&endpoint->besides[i], address));
    }
    return 0;
}

// For all to read, whatever the umask: the responder is nobody. The folder is for those only who come by way of the store's own
// folder.
int dns_names_publish(int endpoints_fd, const struct dns_endpoint *endpoint, struct err *err) {
    AUTO_BUF struct buf text = {0};
    AUTO_FREE char *temporary = mem_format("%s.new", endpoint->container);
    if (make_text(endpoint, &text, err) < 0) {
        return -1;
    }
    AUTO_FD int fd = openat(endpoints_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0 || fd_write_all(fd, buf_string(&text), text.size) < 0 ||
        renameat(endpoints_fd, temporary, endpoints_fd, endpoint->container) < 0) {
        return err_sys(err, "write down the names of container %.12s", endpoint->container);
    }
    return 0;
}

void dns_names_withdraw(int endpoints_fd, const char *container) {
    unlinkat(endpoints_fd, container, 0);
}

void dns_names_sweep(int endpoints_fd, const char *container) {
    AUTO_FREE char *temporary = mem_format("%s.new", container);
    unlinkat(endpoints_fd, temporary, 0);
    dns_names_withdraw(endpoints_fd, container);
}

// --- the table ---

void dns_table_finish(struct dns_table *table) {
    buf_finish(&table->names);
    buf_finish(&table->addresses);
    buf_finish(&table->text);
    buf_finish(&table->asks);
    table->endpoint_count = 0;
}

static const struct dns_table_name *names_of(const struct dns_table *table, size_t *ret_count) {
    *ret_count = table->names.size / sizeof(struct dns_table_name);
    return (const struct dns_table_name *)(const void *)table->names.data;
}

static const struct dns_table_address *addresses_of(const struct dns_table *table, size_t *ret_count) {
    *ret_count = table->addresses.size / sizeof(struct dns_table_address);
    return (const struct dns_table_address *)(const void *)table->addresses.data;
}

// Lower case, as they are looked up.
static uint32_t add_text(struct dns_table *table, const char *name) {
    uint32_t at = (uint32_t)table->text.size;
    for (; *name; name++) {
        buf_add_char(&table->text, *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name);
    }
    buf_add_char(&table->text, '\0');
    return at;
}

struct endpoint_words {
    uint32_t names[DNS_MAX_NAMES];
    size_t name_count;
    struct address addresses[DNS_MAX_ADDRESSES];
    size_t address_count;
    struct dns_asks asks;
};

static void read_address(const char *text, struct address *addresses, size_t room, size_t *count) {
    struct err ignored;
    if (*count < room && address_parse("address", text, &addresses[*count], &ignored) == 0) {
        (*count)++;
    }
}

static void read_line(struct dns_table *table, const char *line, struct endpoint_words *words) {
    if (strncmp(line, "name ", 5) == 0 && words->name_count < DNS_MAX_NAMES && is_name(line + 5)) {
        words->names[words->name_count++] = add_text(table, line + 5);
    } else if (strncmp(line, "address ", 8) == 0) {
        read_address(line + 8, words->addresses, DNS_MAX_ADDRESSES, &words->address_count);
    } else if (strncmp(line, "server ", 7) == 0) {
        read_address(line + 7, words->asks.servers, DNS_MAX_SERVERS, &words->asks.server_count);
    } else if (strncmp(line, "beside ", 7) == 0) {
        read_address(line + 7, words->asks.besides, DNS_MAX_BESIDES, &words->asks.beside_count);
    }
}

void dns_table_add(struct dns_table *table, const char *text, size_t size) {
    struct endpoint_words words = {0};
    for (const char *end = text + size; text < end;) {
        char line[512];
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        if (length < sizeof(line)) {
            memcpy(line, text, length);
            line[length] = '\0';
            read_line(table, line, &words);
        }
        text += length + 1;
    }
    table->endpoint_count++;
    uint32_t asks = 0;
    if (words.asks.server_count + words.asks.beside_count > 0) {
        buf_add(&table->asks, &words.asks, sizeof(words.asks));
        asks = (uint32_t)(table->asks.size / sizeof(words.asks));
    }
    for (size_t i = 0; i < words.address_count && words.name_count > 0; i++) {
        const struct dns_table_address back = {words.addresses[i], words.names[0], asks};
        buf_add(&table->addresses, &back, sizeof(back));
        for (size_t name = 0; name < words.name_count; name++) {
            const struct dns_table_name row = {words.names[name], words.addresses[i]};
            buf_add(&table->names, &row, sizeof(row));
        }
    }
}

static int by_name(const void *a, const void *b, void *text) {
    const struct dns_table_name *left = a, *right = b;
    const char *base = text;
    int order = strcmp(base + left->text, base + right->text);
    return order ? order : address_compare(&left->address, &right->address);
}

static int by_address(const void *a, const void *b) {
    const struct dns_table_address *left = a, *right = b;
    return address_compare(&left->address, &right->address);
}

void dns_table_sort(struct dns_table *table) {
    if (table->names.size > 0) {
        qsort_r(table->names.data, table->names.size / sizeof(struct dns_table_name), sizeof(struct dns_table_name), by_name,
                table->text.data);
    }
    if (table->addresses.size > 0) {
        qsort(table->addresses.data, table->addresses.size / sizeof(struct dns_table_address), sizeof(struct dns_table_address),
              by_address);
    }
}

// A folder that was removed with its network has nothing in it.
int dns_table_read(int endpoints_fd, struct dns_table *ret, struct err *err) {
    struct dns_table table = {0};
    AUTO_DIR DIR *stream = dir_stream(endpoints_fd);
    if (!stream && errno != ENOENT) {
        return err_sys(err, "read the names of the network");
    }
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry && table.endpoint_count < DNS_MAX_ENDPOINTS;
         entry = dir_next(stream)) {
        AUTO_FREE char *text = NULL;
        size_t size;
        struct err gone;
        if (!strchr(entry->d_name, '.') &&
            fd_read_file(endpoints_fd, entry->d_name, DNS_ENDPOINT_BYTES, &text, &size, &gone) == 0) {
            dns_table_add(&table, text, size);
        }
    }
    dns_table_sort(&table);
    *ret = table;
    return 0;
}

// The first row of the name, or where it would stand.
static size_t first_row(const struct dns_table *table, const char *name) {
    size_t low = 0, high;
    const struct dns_table_name *rows = names_of(table, &high);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(table->text.data + rows[middle].text, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_row_of(const struct dns_table *table, size_t row, const char *name) {
    size_t count;
    const struct dns_table_name *rows = names_of(table, &count);
    return row < count && strcmp(table->text.data + rows[row].text, name) == 0;
}

// Two names of one container that differ in case alone would give its address twice.
static bool is_wanted(const struct dns_table_name *rows, size_t first, size_t at, uint8_t family) {
    return (!family || rows[at].address.family == family) &&
           (at == first || !address_is_equal(&rows[at].address, &rows[at - 1].address));
}

size_t dns_table_find(const struct dns_table *table, const char *name, uint8_t family, unsigned turn, struct address *addresses,
                      size_t room, bool *ret_known) {
    size_t all, first = first_row(table, name), wanted = 0, found = 0, end = first;
    const struct dns_table_name *rows = names_of(table, &all);
    *ret_known = is_row_of(table, first, name);
    for (; is_row_of(table, end, name); end++) {
        wanted += is_wanted(rows, first, end, family);
    }
    size_t skipped = wanted > 0 ? turn % wanted : 0;
    for (size_t round = 0; round < 2; round++) {
        size_t number = 0;
        for (size_t at = first; at < end && found < room; at++) {
            if (is_wanted(rows, first, at, family)) {
                bool in_this_round = round == 0 ? number >= skipped : number < skipped;
                if (in_this_round) {
                    addresses[found++] = rows[at].address;
                }
                number++;
            }
        }
    }
    return found;
}

static const struct dns_table_address *find_address(const struct dns_table *table, const struct address *address) {
    size_t low = 0, high, count;
    const struct dns_table_address *rows = addresses_of(table, &count);
    high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (address_compare(&rows[middle].address, address) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && address_is_equal(&rows[low].address, address) ? &rows[low] : NULL;
}

const char *dns_table_name(const struct dns_table *table, const struct address *address) {
    const struct dns_table_address *row = find_address(table, address);
    return row ? table->text.data + row->text : NULL;
}

const struct dns_asks *dns_table_asks(const struct dns_table *table, const struct address *address) {
    const struct dns_table_address *row = find_address(table, address);
    return row && row->asks > 0 ? (const struct dns_asks *)(const void *)table->asks.data + row->asks - 1 : NULL;
}
