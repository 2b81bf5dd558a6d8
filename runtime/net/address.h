// address: IPv4 and IPv6 addresses and subnets as plain values, with their arithmetic. Nothing here asks the kernel anything.
#ifndef COFFER_NET_ADDRESS_H
#define COFFER_NET_ADDRESS_H

#include "runtime/base/attr.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { ADDRESS_TEXT_SIZE = 46, SUBNET_TEXT_SIZE = 50 };

// In network order. Zeroed is no address.
struct address {
    uint8_t family; // AF_INET: the first four bytes, the others are zero; AF_INET6; 0
    uint8_t bytes[16];
};

// The bits of `base` behind the prefix are zero.
struct subnet {
    struct address base;
    uint8_t prefix; // bits
};

struct address_range {
    struct address first, last; // of one family, both within
};

unsigned address_bits(const struct address *address); // 32 or 128

// A whole text that is an address and nothing more: no port, no scope, no IPv4 in the clothes of IPv6 (::ffff:a.b.c.d), which would
// be the same address twice. `what` begins the message: a flag or a field.
int address_parse(const char *what, const char *text, struct address *ret, struct err *err) MUST_CHECK;
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_SIZE]); // returns text

bool address_is_equal(const struct address *a, const struct address *b);
int address_compare(const struct address *a, const struct address *b); // <0, 0, >0: IPv4 first, then by value

// ADDRESS/PREFIX. What has bits behind its prefix is refused, and told what it should be.
int subnet_parse(const char *what, const char *text, struct subnet *ret, struct err *err) MUST_CHECK;
const char *subnet_format(const struct subnet *subnet, char text[SUBNET_TEXT_SIZE]); // returns text

bool subnet_contains(const struct subnet *subnet, const struct address *address);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b); // one of them lies in the other
bool subnet_holds(const struct subnet *outer, const struct subnet *inner);

// The address that is `n` behind the first of all; false when it lies outside.
bool subnet_nth(const struct subnet *subnet, uint64_t n, struct address *ret);

// A subnet cut into parts of one size, `prefix` bits, which are numbered from 0; at most 2^63 of them. The part of that number,
// false when there is none; and the number of the first part that lies behind all of `inside`, which overlaps the whole.
bool subnet_part(const struct subnet *whole, uint8_t prefix, uint64_t number, struct subnet *ret);
uint64_t subnet_part_behind(const struct subnet *whole, uint8_t prefix, const struct subnet *inside);

// All addresses; and those that hosts can have: not the first, which is the network itself (RFC 4291, 2.6.1: of all routers), nor
// with IPv4 the last, which is everybody. A subnet of one or two addresses has no such: the range is empty then (first behind
// last).
struct address_range subnet_addresses(const struct subnet *subnet); // all
struct address_range subnet_hosts(const struct subnet *subnet);

// Checks that containers can live in it: of a size that has room for a gateway and one more, and not loopback, link-local,
// multicast or reserved.
int subnet_check_private(const char *what, const struct subnet *subnet, struct err *err) MUST_CHECK;

// The addresses of a range, one after another. `address_range_next` gives the one behind `address`, the first again behind the
// last.
bool address_range_contains(const struct address_range *range, const struct address *address);
struct address address_range_next(const struct address_range *range, const struct address *address);
bool address_range_is_empty(const struct address_range *range);

#endif
