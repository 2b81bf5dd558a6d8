#include "runtime/net/address.h"

#include "runtime/base/err.h"
#include "runtime/base/quantity.h"
#include "runtime/base/quote.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

// All arithmetic is done on one type, for both families.
static unsigned __int128 value_of(const struct address *address) {
    unsigned __int128 value = 0;
    for (size_t i = 0; i < address_bits(address) / 8; i++) {
        value = value << 8 | address->bytes[i];
    }
    return value;
}

static struct address from_value(uint8_t family, unsigned __int128 value) {
    struct address address = {.family = family};
    for (size_t i = address_bits(&address) / 8; i-- > 0; value >>= 8) {
        address.bytes[i] = (uint8_t)value;
    }
    return address;
}

// The addresses of a subnet less one.
static unsigned __int128 span_of(const struct subnet *subnet) {
    unsigned bits = address_bits(&subnet->base) - subnet->prefix;
    return bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << bits) - 1;
}

unsigned address_bits(const struct address *address) {
    return address->family == AF_INET ? 32 : 128;
}

static bool read_address(const char *text, struct address *ret) {
    struct address address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(address.family, text, address.bytes) != 1) {
        return false;
    }
    *ret = address;
    return true;
}

// ::a.b.c.d and ::ffff:a.b.c.d (RFC 4291, 2.5.5)
static bool is_embedded(const struct address *address) {
    unsigned __int128 top = address->family == AF_INET6 ? value_of(address) >> 32 : 1;
    return top == 0xffff || (top == 0 && value_of(address) > 1);
}

int address_parse(const char *what, const char *text, struct address *ret, struct err *err) {
    char quoted[QUOTE_SIZE];
    struct address address;
    if (!read_address(text, &address)) {
        return err_set(err, ERR_INPUT, "%s %s: expected an IPv4 or IPv6 address", what, quote_text(text, quoted));
    }
    if (is_embedded(&address)) {
        return err_set(err, ERR_INPUT, "%s %s: write the IPv4 address that is in it", what, quote_text(text, quoted));
    }
    *ret = address;
    return 0;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]) {
    if (!address->family || !inet_ntop(address->family, address->bytes, text, ADDRESS_TEXT_SIZE)) {
        text[0] = '\0';
    }
    return text;
}

bool address_is_equal(const struct address *a, const struct address *b) {
    return address_compare(a, b) == 0;
}

int address_compare(const struct address *a, const struct address *b) {
    if (a->family != b->family) {
        return a->family == AF_INET || !a->family ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static struct address last_of(const struct subnet *subnet) {
    return from_value(subnet->base.family, value_of(&subnet->base) | span_of(subnet));
}

int subnet_parse(const char *what, const char *text, struct subnet *ret, struct err *err) {
    char quoted[QUOTE_SIZE], copy[SUBNET_TEXT_SIZE] = "", meant[SUBNET_TEXT_SIZE];
    struct subnet subnet;
    int64_t prefix = -1;
    if (strlen(text) < sizeof(copy)) {
        memcpy(copy, text, strlen(text) + 1);
    }
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    if (!slash || !read_address(copy, &subnet.base) || slash[1] < '0' || slash[1] > '9' || (slash[1] == '0' && slash[2]) ||
        quantity_int(slash + 1, &prefix) < 0 || prefix > (int64_t)address_bits(&subnet.base)) {
        return err_set(err, ERR_INPUT, "%s %s: expected ADDRESS/PREFIX, such as 10.1.2.0/24 or fd00:1:2::/64", what,
                       quote_text(text, quoted));
    }
    if (is_embedded(&subnet.base)) {
        return err_set(err, ERR_INPUT, "%s %s: write the IPv4 subnet that is in it", what, quote_text(text, quoted));
    }
    subnet.prefix = (uint8_t)prefix;
    struct address base = from_value(subnet.base.family, value_of(&subnet.base) & ~span_of(&subnet));
    if (!address_is_equal(&base, &subnet.base)) {
        subnet.base = base;
        return err_set(err, ERR_INPUT, "%s %s: the subnet of this address is %s", what, quote_text(text, quoted),
                       subnet_format(&subnet, meant));
    }
    *ret = subnet;
    return 0;
}

const char *subnet_format(const struct subnet *subnet, char text[SUBNET_TEXT_SIZE]) {
    char base[ADDRESS_TEXT_SIZE];
    snprintf(text, SUBNET_TEXT_SIZE, "%s/%u", address_format(&subnet->base, base), subnet->prefix);
    return text;
}

bool subnet_contains(const struct subnet *subnet, const struct address *address) {
    return address->family == subnet->base.family && (value_of(address) & ~span_of(subnet)) == value_of(&subnet->base);
}

bool subnet_holds(const struct subnet *outer, const struct subnet *inner) {
    return outer->prefix <= inner->prefix && subnet_contains(outer, &inner->base);
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b) {
    return subnet_holds(a, b) || subnet_holds(b, a);
}

bool subnet_nth(const struct subnet *subnet, uint64_t n, struct address *ret) {
    if (n > span_of(subnet)) {
        return false;
    }
    *ret = from_value(subnet->base.family, value_of(&subnet->base) + n);
    return true;
}

bool subnet_part(const struct subnet *whole, uint8_t prefix, uint64_t number, struct subnet *ret) {
    unsigned bits = address_bits(&whole->base);
    unsigned __int128 first = (unsigned __int128)number << (bits - prefix);
    if (first > span_of(whole)) {
        return false;
    }
    *ret = (struct subnet){from_value(whole->base.family, value_of(&whole->base) + first), prefix};
    return true;
}

uint64_t subnet_part_behind(const struct subnet *whole, uint8_t prefix, const struct subnet *inside) {
    unsigned bits = address_bits(&whole->base);
    struct address last = inside->prefix < whole->prefix ? last_of(whole) : last_of(inside);
    return (uint64_t)((value_of(&last) - value_of(&whole->base)) >> (bits - prefix)) + 1;
}

struct address_range subnet_addresses(const struct subnet *subnet) {
    return (struct address_range){subnet->base, last_of(subnet)};
}

struct address_range subnet_hosts(const struct subnet *subnet) {
    unsigned __int128 first = value_of(&subnet->base), last = first | span_of(subnet);
    uint8_t family = subnet->base.family;
    if (span_of(subnet) < 2) {
        return (struct address_range){last_of(subnet), subnet->base};
    }
    return (struct address_range){from_value(family, first + 1), from_value(family, family == AF_INET ? last - 1 : last)};
}

int subnet_check_private(const char *what, const struct subnet *subnet, struct err *err) {
    static const struct {
        struct subnet subnet;
        const char *name;
    } refused[] = {
        {{{AF_INET, {0}}, 8}, "of this host only"},
        {{{AF_INET, {127}}, 8}, "loopback"},
        {{{AF_INET, {169, 254}}, 16}, "link-local"},
        {{{AF_INET, {224}}, 4}, "multicast"},
        {{{AF_INET, {240}}, 4}, "reserved"},
        {{{AF_INET6, {0}}, 96}, "of this host only"},
        {{{AF_INET6, {0xfe, 0x80}}, 10}, "link-local"},
        {{{AF_INET6, {0xff}}, 8}, "multicast"},
    };
    char text[SUBNET_TEXT_SIZE], other[SUBNET_TEXT_SIZE];
    unsigned most = address_bits(&subnet->base) - 2, least = 8;
    if (subnet->prefix > most || subnet->prefix < least) {
        return err_set(err, ERR_INPUT, "%s %s: expected a prefix from %u to %u", what, subnet_format(subnet, text), least, most);
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (subnet_overlaps(subnet, &refused[i].subnet)) {
            return err_set(err, ERR_INPUT, "%s %s: no container can have an address in it: %s is %s", what,
                           subnet_format(subnet, text), subnet_format(&refused[i].subnet, other), refused[i].name);
        }
    }
    return 0;
}

bool address_range_contains(const struct address_range *range, const struct address *address) {
    return address->family == range->first.family && address_compare(address, &range->first) >= 0 &&
           address_compare(address, &range->last) <= 0;
}

struct address address_range_next(const struct address_range *range, const struct address *address) {
    if (!address_range_contains(range, address) || address_is_equal(address, &range->last)) {
        return range->first;
    }
    return from_value(address->family, value_of(address) + 1);
}

bool address_range_is_empty(const struct address_range *range) {
    return address_compare(&range->first, &range->last) > 0;
}
