#include "runtime/net/dns_message.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// The header's second word.
enum {
    FLAG_ANSWER = 0x8000,
    MASK_OPERATION = 0x7800,
    FLAG_OWN = 0x0400,
    FLAG_TRUNCATED = 0x0200,
    FLAG_DESIRED = 0x0100,
    FLAG_AVAILABLE = 0x0080,
    MASK_CODE = 0x000f
};
enum { AT_ID = 0, AT_FLAGS = 2, AT_QUESTIONS = 4, AT_ANSWERS = 6, AT_AUTHORITIES = 8, AT_ADDITIONAL = 10 };
enum { LABEL_MAX = 63, WIRE_NAME_MAX = 255 };

static uint16_t get16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

uint16_t dns_id(const uint8_t *message) {
    return get16(message + AT_ID);
}

void dns_set_id(uint8_t *message, uint16_t id) {
    put16(message + AT_ID, id);
}

bool dns_wants_others(const uint8_t *message) {
    return get16(message + AT_FLAGS) & FLAG_DESIRED;
}

void dns_set_wants_others(uint8_t *message, bool wants) {
    uint16_t flags = get16(message + AT_FLAGS);
    put16(message + AT_FLAGS, (uint16_t)(wants ? flags | FLAG_DESIRED : flags & ~FLAG_DESIRED));
}

// --- reading ---

static bool is_plain_letter(uint8_t letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

// Adds a label and a dot before it. Letters of ASCII alone have two cases (RFC 4343).
static void add_label(struct dns_query *query, const uint8_t *label, size_t length) {
    size_t used = strlen(query->name);
    if (used > 0) {
        query->name[used++] = '.';
    }
    for (size_t i = 0; i < length && query->is_plain; i++) {
        uint8_t letter = label[i] >= 'A' && label[i] <= 'Z' ? label[i] | 0x20 : label[i];
        query->is_plain = is_plain_letter(letter);
        query->name[used++] = query->is_plain ? (char)letter : '\0';
    }
    query->name[used] = '\0';
}

// Returns where the name ends, 0 when it is none.
static size_t read_name(const uint8_t *message, size_t size, struct dns_query *query) {
    size_t at = DNS_HEADER_SIZE;
    query->is_plain = true;
    for (;;) {
        if (at >= size || message[at] > LABEL_MAX || at - DNS_HEADER_SIZE + message[at] + 1 > WIRE_NAME_MAX ||
            message[at] >= size - at) {
            return 0;
        }
        uint8_t length = message[at++];
        if (length == 0) {
            return at;
        }
        if (query->is_plain) {
            add_label(query, message + at, length);
        }
        at += length;
    }
}

// An OPT record that stands right behind the question, as everybody writes it (RFC 6891, 6.1.2): its class is how much one takes.
static void read_edns(const uint8_t *message, size_t size, struct dns_query *query) {
    size_t at = query->question_end;
    query->room = DNS_PLAIN_SIZE;
    if (get16(message + AT_ANSWERS) || get16(message + AT_AUTHORITIES) || !get16(message + AT_ADDITIONAL) || size - at < 11 ||
        message[at] != 0 || get16(message + at + 1) != DNS_TYPE_OPT) {
        return;
    }
    uint16_t room = get16(message + at + 3);
    query->has_edns = true;
    query->room = room < DNS_PLAIN_SIZE ? DNS_PLAIN_SIZE : room > DNS_OWN_SIZE ? DNS_OWN_SIZE : room;
}

int dns_read_query(const uint8_t *message, size_t size, struct dns_query *ret, enum dns_code *ret_code) {
    struct dns_query query = {.room = DNS_PLAIN_SIZE};
    enum dns_code code = DNS_FORMAT_ERROR;
    if (size < DNS_HEADER_SIZE || get16(message + AT_FLAGS) & FLAG_ANSWER) {
        return -1;
    }
    size_t end = get16(message + AT_QUESTIONS) == 1 ? read_name(message, size, &query) : 0;
    if (get16(message + AT_FLAGS) & MASK_OPERATION) {
        code = DNS_NOT_IMPLEMENTED;
    } else if (end > 0 && size - end >= 4) {
        query.type = get16(message + end);
        query.class = get16(message + end + 2);
        query.question_end = end + 4;
        read_edns(message, size, &query);
        code = DNS_NO_ERROR;
    }
    *ret = query;
    *ret_code = code;
    return 0;
}

// Whether the name ends in the suffix; *ret_length: of what stands before.
static bool ends_in(const char *name, const char *suffix, size_t *ret_length) {
    size_t length = strlen(name), behind = strlen(suffix);
    if (length <= behind || strcmp(name + length - behind, suffix) != 0) {
        return false;
    }
    *ret_length = length - behind;
    return true;
}

// "4.3.2.1": the last number first.
static bool read_reverse_4(const char *text, size_t length, struct address *ret) {
    size_t at = 0;
    for (int i = 3; i >= 0; i--) {
        unsigned value = 0, digits = 0;
        for (; at < length && isdigit((unsigned char)text[at]); at++, digits++) {
            value = value * 10 + (unsigned)(text[at] - '0');
            if (value > 255) {
                return false;
            }
        }
        if (digits == 0 || (digits > 1 && text[at - digits] == '0') || (i > 0 && (at >= length || text[at++] != '.'))) {
            return false;
        }
        ret->bytes[i] = (uint8_t)value;
    }
    ret->family = AF_INET;
    return at == length;
}

// "b.a.9.8. ...": 32 digits, the last one first.
static bool read_reverse_6(const char *text, size_t length, struct address *ret) {
    static const char digits[] = "0123456789abcdef";
    if (length != 63) {
        return false;
    }
    for (size_t i = 0; i < 32; i++) {
        const char *digit = strchr(digits, text[2 * i]);
        if (!digit || !*digit || (i < 31 && text[2 * i + 1] != '.')) {
            return false;
        }
        ret->bytes[15 - i / 2] |= (uint8_t)((digit - digits) << (i % 2 * 4));
    }
    ret->family = AF_INET6;
    return true;
}

bool dns_read_reverse(const char *name, struct address *ret) {
    struct address address = {0};
    size_t length;
    if ((ends_in(name, ".in-addr.arpa", &length) && read_reverse_4(name, length, &address)) ||
        (ends_in(name, ".ip6.arpa", &length) && read_reverse_6(name, length, &address))) {
        *ret = address;
        return true;
    }
    return false;
}

// --- writing ---

struct writer {
    uint8_t *out;
    size_t size, room;
};

// Room for the OPT record is kept, which comes last.
static size_t edns_size(const struct dns_query *query) {
    return query->has_edns ? 11 : 0;
}

static struct writer begin(const uint8_t *message, const struct dns_query *query, unsigned flags, uint8_t *out, size_t room) {
    assert(room >= DNS_PLAIN_SIZE);
    size_t size = query->question_end ? query->question_end : DNS_HEADER_SIZE;
    memcpy(out, message, size);
    uint16_t kept = get16(message + AT_FLAGS) & (MASK_OPERATION | FLAG_DESIRED);
    put16(out + AT_FLAGS, (uint16_t)(FLAG_ANSWER | FLAG_AVAILABLE | kept | flags));
    put16(out + AT_QUESTIONS, query->question_end ? 1 : 0);
    memset(out + AT_ANSWERS, 0, 6);
    return (struct writer){.out = out, .size = size, .room = room - edns_size(query)};
}

static size_t end(struct writer *writer, const struct dns_query *query) {
    if (query->has_edns) {
        uint8_t *at = writer->out + writer->size;
        memset(at, 0, 11);
        put16(at + 1, DNS_TYPE_OPT);
        put16(at + 3, DNS_OWN_SIZE);
        put16(writer->out + AT_ADDITIONAL, 1);
        writer->size += 11;
    }
    return writer->size;
}

// A record about the name that was asked for, which stands behind the header.
static void add_record(struct writer *writer, uint16_t type, const void *data, size_t size) {
    if (writer->room - writer->size < 12 + size) {
        put16(writer->out + AT_FLAGS, get16(writer->out + AT_FLAGS) | FLAG_TRUNCATED);
        return;
    }
    uint8_t *at = writer->out + writer->size;
    put16(at, 0xc000 | DNS_HEADER_SIZE);
    put16(at + 2, type);
    put16(at + 4, DNS_CLASS_IN);
    put16(at + 6, 0);
    put16(at + 8, DNS_TTL_S);
    put16(at + 10, (uint16_t)size);
    memcpy(at + 12, data, size);
    writer->size += 12 + size;
    put16(writer->out + AT_ANSWERS, (uint16_t)(get16(writer->out + AT_ANSWERS) + 1));
}

size_t dns_write_code(const uint8_t *message, const struct dns_query *query, enum dns_code code, uint8_t *out, size_t room) {
    struct writer writer = begin(message, query, code, out, room);
    return end(&writer, query);
}

size_t dns_write_addresses(const uint8_t *message, const struct dns_query *query, const struct address *addresses, size_t count,
                           uint8_t *out, size_t room) {
    struct writer writer = begin(message, query, FLAG_OWN, out, room);
    for (size_t i = 0; i < count; i++) {
        bool is_4 = addresses[i].family == AF_INET;
        add_record(&writer, is_4 ? DNS_TYPE_A : DNS_TYPE_AAAA, addresses[i].bytes, is_4 ? 4 : 16);
    }
    return end(&writer, query);
}

// A name of ours: labels of at most 63 letters.
static size_t pack_name(const char *name, uint8_t wire[WIRE_NAME_MAX]) {
    size_t size = 0;
    while (*name) {
        size_t length = strcspn(name, ".");
        if (length == 0 || length > LABEL_MAX || size + length + 2 > WIRE_NAME_MAX) {
            break;
        }
        wire[size++] = (uint8_t)length;
        memcpy(wire + size, name, length);
        size += length;
        name += length + (name[length] == '.');
    }
    wire[size++] = 0;
    return size;
}

size_t dns_write_name(const uint8_t *message, const struct dns_query *query, const char *name, uint8_t *out, size_t room) {
    uint8_t wire[WIRE_NAME_MAX];
    struct writer writer = begin(message, query, FLAG_OWN, out, room);
    add_record(&writer, DNS_TYPE_PTR, wire, pack_name(name, wire));
    return end(&writer, query);
}

// --- judging ---

bool dns_has_answers(const uint8_t *answer) {
    return get16(answer + AT_ANSWERS) > 0;
}

// Names may come back in other letters (RFC 4343). The lengths of labels are below all letters, so that they are compared as they
// are.
static bool is_same_question(const uint8_t *answer, const uint8_t *query, size_t question_end) {
    for (size_t i = DNS_HEADER_SIZE; i < question_end; i++) {
        bool is_name = i < question_end - 4;
        uint8_t a = answer[i], b = query[i];
        if (is_name && a >= 'A' && a <= 'Z') {
            a |= 0x20;
        }
        if (is_name && b >= 'A' && b <= 'Z') {
            b |= 0x20;
        }
        if (a != b) {
            return false;
        }
    }
    return true;
}

enum dns_reply dns_judge(const uint8_t *answer, size_t size, const uint8_t *query, size_t question_end) {
    if (size < DNS_HEADER_SIZE || dns_id(answer) != dns_id(query)) {
        return DNS_REPLY_STRANGE;
    }
    uint16_t flags = get16(answer + AT_FLAGS);
    if (!(flags & FLAG_ANSWER) || flags & MASK_OPERATION) {
        return DNS_REPLY_STRANGE;
    }
    bool can_say = (flags & MASK_CODE) == DNS_NO_ERROR || (flags & MASK_CODE) == DNS_NO_SUCH_NAME;
    // Those who could not read the question do not repeat it.
    if (get16(answer + AT_QUESTIONS) == 0 && !can_say) {
        return DNS_REPLY_FAILED;
    }
    if (get16(answer + AT_QUESTIONS) != 1 || size < question_end || !is_same_question(answer, query, question_end)) {
        return DNS_REPLY_STRANGE;
    }
    return !can_say ? DNS_REPLY_FAILED : flags & FLAG_TRUNCATED ? DNS_REPLY_TRUNCATED : DNS_REPLY_GOOD;
}
