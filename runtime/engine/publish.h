// publish: what -p says, as docker has it:
//
//     PORT    HOST_PORT:PORT    ADDRESS:HOST_PORT:PORT    ADDRESS::PORT    each with /tcp, /udp or /sctp behind it
//
// A port may be a range, FIRST-LAST: on both sides of the same length, or one port of the container and a range of the host's, any
// of which will do. An IPv6 address stands in brackets.
#ifndef COFFER_ENGINE_PUBLISH_H
#define COFFER_ENGINE_PUBLISH_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdint.h>

struct err;

struct publish {
    uint8_t protocol;               // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP
    struct address host;            // of no family: all of them
    uint16_t host_first, host_last; // 0: whichever is free
    uint16_t first, last;           // in the container
};

int publish_parse(const char *text, struct publish *ret, struct err *err) MUST_CHECK;

// "tcp", "udp", "sctp"; 0: none of these.
uint8_t publish_protocol_number(const char *name);
const char *publish_protocol_name(uint8_t protocol);

#endif
