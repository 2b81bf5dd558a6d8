// What the fetcher and its caller say to each other over a socket of packets: orders one way, each with a file in memory that holds
// the request and the descriptors for its bodies; answers, bytes and ends the other.
#ifndef COFFER_IMAGES_FETCH_MESSAGE_H
#define COFFER_IMAGES_FETCH_MESSAGE_H

#include "runtime/base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FETCHER_SOCKET = 3, // the descriptor that the fetcher is started with
    FETCHER_MAX_PACKET = 96 << 10,
    FETCHER_MAX_HEADERS = 64 << 10, // bytes of all header lines of an answer
    FETCHER_MAX_REQUEST = 16 << 20,
    FETCHER_EXIT_CONFINE = 3, // it could not lay down its privileges
};

enum fetch_packet_kind {
    FETCH_PACKET_START, // with descriptors: the request, then those that the flags tell of
    FETCH_PACKET_STOP,
    FETCH_PACKET_KEEP,     // with a descriptor: what comes from now on is appended there, too
    FETCH_PACKET_ANSWER,   // a fetch_head
    FETCH_PACKET_DATA,     // bytes of a body that is kept in memory
    FETCH_PACKET_PROGRESS, // a fetch_progress; may be left out
    FETCH_PACKET_END,      // a fetch_ending
};

enum { FETCH_HAS_BODY = 1, FETCH_HAS_OUT = 2, FETCH_HAS_KEEP = 4, FETCH_MAX_FDS = 4 };

struct fetch_packet {
    uint32_t kind;
    uint32_t id;    // of the transfer
    uint32_t flags; // of START
};

struct fetch_progress {
    uint64_t received; // bytes of the answer's body, with those that were there already
    uint64_t sent;
    uint64_t keep_errnum; // why nothing is kept any more; 0: it is, or was not wanted
};

// A request as it travels.
struct fetch_order {
    const char *method;
    const char *url;
    const char **headers;
    size_t headers_count;
    const char *ca_pem, *cert_pem, *key_pem;
    bool ca_alone, insecure;
    const void *body;
    size_t body_size;
    uint64_t body_offset, body_length;
    uint64_t resume_at, until, max_bytes;
};
extern const struct wire_record fetch_order_record;

struct fetch_head {
    uint32_t status;
    const char **lines; // "name: value", the name in lower case
    size_t lines_count;
};
extern const struct wire_record fetch_head_record;

struct fetch_ending {
    bool failed;
    bool transient;
    uint32_t errnum; // EPIPE: who took the bytes has ended
    const char *text;
    uint64_t received, sent;
    uint32_t keep_errnum;
};
extern const struct wire_record fetch_ending_record;

#endif
