// DNS messages (RFC 1035, 4), as far as one that answers for a few names and hands the rest on must know them: pure.
//
// Everything here is a stranger's bytes. Of a message only the header and its one question are read, and whether an OPT record
// follows; names are read in one pass, since a pointer (RFC 1035, 4.1.4) has nothing before the question to point to.
#ifndef COFFER_NET_DNS_MESSAGE_H
#define COFFER_NET_DNS_MESSAGE_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_PORT = 53,
    DNS_HEADER_SIZE = 12,
    DNS_NAME_SIZE = 256,  // of a name as text, with its NUL: RFC 1035 has 255 bytes on the wire, which are more
    DNS_PLAIN_SIZE = 512, // of a message by UDP to somebody who does not say that he takes more
    DNS_OWN_SIZE = 1232,  // the most that we send by UDP, whatever he says: what no path cuts in pieces
    DNS_MAX_SIZE = 65535, // by TCP
    DNS_TTL_S = 5,        // of our answers: containers come and go
};

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_PTR = 12, DNS_TYPE_AAAA = 28, DNS_TYPE_OPT = 41, DNS_TYPE_ANY = 255 };
enum { DNS_CLASS_IN = 1 };

enum dns_code {
    DNS_NO_ERROR = 0,
    DNS_FORMAT_ERROR = 1,
    DNS_SERVER_FAILURE = 2,
    DNS_NO_SUCH_NAME = 3,
    DNS_NOT_IMPLEMENTED = 4,
    DNS_REFUSED = 5,
};

struct dns_query {
    char name[DNS_NAME_SIZE]; // lower case, without the last dot; "" for the root
    bool is_plain;            // of letters, digits, - and _ only: else it is none of our names, and `name` is not all of it
    bool has_edns;
    uint16_t type, class;
    uint16_t room;       // the most that may be answered by UDP: from DNS_PLAIN_SIZE to DNS_OWN_SIZE
    size_t question_end; // where the question ends in the message
};

// What is no query at all, or too short to be answered, is to be dropped (-1). Else 0, and *ret_code says what to answer at once,
// or DNS_NO_ERROR when the query is one to be looked into.
int dns_read_query(const uint8_t *message, size_t size, struct dns_query *ret, enum dns_code *ret_code) MUST_CHECK;

// The address that a name below in-addr.arpa or ip6.arpa stands for; false for all others.
bool dns_read_reverse(const char *name, struct address *ret);

// Answers to a message that dns_read_query has taken, into `out`, which has `room` bytes, at least DNS_PLAIN_SIZE; they return the
// size. What does not fit is left out, and told (TC). For `has_question` false, and where the query was no good, only the header is
// answered.
size_t dns_write_code(const uint8_t *message, const struct dns_query *query, enum dns_code code, uint8_t *out, size_t room);
size_t dns_write_addresses(const uint8_t *message, const struct dns_query *query, const struct address *addresses, size_t count,
                           uint8_t *out, size_t room);
size_t dns_write_name(const uint8_t *message, const struct dns_query *query, const char *name, uint8_t *out, size_t room);

enum dns_reply {
    DNS_REPLY_STRANGE,   // not to what was asked: as if it had not come
    DNS_REPLY_GOOD,      // to be handed on
    DNS_REPLY_TRUNCATED, // the same, to be asked again by TCP where that helps
    DNS_REPLY_FAILED,    // this server cannot say; another may
};

// What a message is as an answer to the query, whose id and question must come back as they were sent.
enum dns_reply dns_judge(const uint8_t *answer, size_t size, const uint8_t *query, size_t question_end);

// Whether a query wants others to be asked (RD); and what a copy of it, or of its answer, says of that.
bool dns_wants_others(const uint8_t *message);
void dns_set_wants_others(uint8_t *message, bool wants);

// Whether an answer has records in it: a yes.
bool dns_has_answers(const uint8_t *answer);

uint16_t dns_id(const uint8_t *message);
void dns_set_id(uint8_t *message, uint16_t id);

#endif
