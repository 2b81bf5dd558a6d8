// What the program hands the responder it starts: descriptors with fixed numbers, and an order, one struct written to a pipe.
#ifndef COFFER_NET_DNS_ORDER_H
#define COFFER_NET_DNS_ORDER_H

#include "runtime/net/address.h"
#include "runtime/net/dns.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RESPONDER_ORDER = 3, // a pipe with a struct dns_order in it
    RESPONDER_STATUS,    // a pipe: a byte when all is well, or a struct err
    RESPONDER_ENDPOINTS, // directory
    RESPONDER_LOCK,      // the file it holds locked, and writes its pid to
    RESPONDER_RESOLV,    // directory that resolv.conf is in
    RESPONDER_BEHIND,    // directory of systemd-resolved; /dev/null where there is none
    RESPONDER_SOCKETS,   // for each subnet UDP, then TCP
    RESPONDER_END = RESPONDER_SOCKETS + 2 * DNS_MAX_FAMILIES,
};

struct dns_order {
    char network[130]; // a dot and the name: what may stand behind all names
    char resolv_name[NAME_MAX + 1];
    struct subnet subnets[DNS_MAX_FAMILIES];
    struct address gateways[DNS_MAX_FAMILIES];
    struct address stand_in; // for servers on the host's loopback; of no family: there is none
    uint32_t subnet_count;
    bool forward;
};

#endif
