// dns_names: which names stand for which addresses on a network. Each container has a file of its own in the network's folder of
// endpoints, named by its id, which its own command writes and removes: nobody waits for anybody, and what a killed command has
// left is told by its name.
//
//     name web
//     name 0123456789ab
//     address 10.201.0.2
//     address fd00:1::2
//     server 9.9.9.9
//     beside 10.202.0.1
//
// "server" is whom to ask for others of its names in place of the host's servers. "beside" is the gateway of another network that it is
// on: that one's responder is asked for names that are not known here, and says what is known there alone.
//
// The responder (dns.h) reads the folder whenever something in it changes.
#ifndef COFFER_NET_DNS_NAMES_H
#define COFFER_NET_DNS_NAMES_H

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/net/address.h"

#include <stddef.h>

struct err;

enum { DNS_MAX_NAMES = 128, DNS_MAX_ADDRESSES = 8, DNS_ENDPOINT_BYTES = 64 << 10, DNS_MAX_ENDPOINTS = 4096 };

struct dns_endpoint {
    const char *container;    // id
    const char *const *names; // the first is what its address is called in turn
    size_t name_count;
    const struct address *addresses;
    size_t address_count;
    const struct address *servers; // DNS_MAX_SERVERS at most count
    size_t server_count;
    const struct address *besides; // DNS_MAX_BESIDES at most count
    size_t beside_count;
};

// Whom else to ask for one of the endpoints.
enum { DNS_MAX_SERVERS = 6, DNS_MAX_BESIDES = 16 };
struct dns_asks {
    struct address servers[DNS_MAX_SERVERS];
    size_t server_count;
    struct address besides[DNS_MAX_BESIDES];
    size_t beside_count;
};

// A name that can be answered: at most 253 letters, digits, - and _, with dots between parts of at most 63. `what` begins the
// message.
int dns_name_check(const char *what, const char *name, struct err *err) MUST_CHECK;

// Writes the endpoint's file, whole or not at all; replaces one that is there. endpoints_fd: the folder.
int dns_names_publish(int endpoints_fd, const struct dns_endpoint *endpoint, struct err *err) MUST_CHECK;
void dns_names_withdraw(int endpoints_fd, const char *container);
// The same of a container whose monitor was killed, perhaps while it wrote the file.
void dns_names_sweep(int endpoints_fd, const char *container);

// What a folder says. Zeroed is empty.
struct dns_table {
    struct buf names;     // struct dns_table_name[], by name
    struct buf addresses; // struct dns_table_address[], by address
    struct buf text;      // all names, lower case, NUL behind each
    struct buf asks;      // struct dns_asks[], of those that have some
    size_t endpoint_count;
};

void dns_table_finish(struct dns_table *table);
#define AUTO_DNS_TABLE AUTO(dns_table_finish)

// Reads the folder. Files that make no sense are left out: they are our own, so that is a sign of damage and no reason to answer
// nothing.
int dns_table_read(int endpoints_fd, struct dns_table *ret, struct err *err) MUST_CHECK;

// Adds an endpoint from its file's text; dns_table_sort when all are there.
void dns_table_add(struct dns_table *table, const char *text, size_t size);
void dns_table_sort(struct dns_table *table);

// Up to `room` addresses of a name, which is in lower case; returns how many there are. *ret_known: the name is, be it without an
// address of the family. family 0: of both. `turn` says with which one to begin: those of several containers are given in turns.
size_t dns_table_find(const struct dns_table *table, const char *name, uint8_t family, unsigned turn, struct address *addresses,
                      size_t room, bool *ret_known);

// The first name of whom the address belongs to; NULL: nobody.
const char *dns_table_name(const struct dns_table *table, const struct address *address);

// Whom else to ask for who has the address; NULL: nobody.
const struct dns_asks *dns_table_asks(const struct dns_table *table, const struct address *address);

#endif
