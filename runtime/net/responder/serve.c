#include "runtime/base/clock.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/net/responder/responder.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ADDRESSES = 256, DATAGRAMS_AT_ONCE = 64 };

struct responder responder;

void polls_add(int fd, short events, void (*ready)(void *object, unsigned part, short events), void *object, unsigned part) {
    struct polls *polls = &responder.polls;
    assert(polls->count < MAX_POLLS);
    polls->fds[polls->count] = (struct pollfd){.fd = fd, .events = events};
    polls->owners[polls->count].ready = ready;
    polls->owners[polls->count].object = object;
    polls->owners[polls->count++].part = part;
}

// --- who asks ---

bool origin_read_name(struct origin *origin) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&origin->name;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&origin->name;
    origin->peer = (struct address){.family = (uint8_t)origin->name.ss_family};
    if (origin->name.ss_family == AF_INET) {
        memcpy(origin->peer.bytes, &in->sin_addr, 4);
    } else if (origin->name.ss_family == AF_INET6) {
        memcpy(origin->peer.bytes, &in6->sin6_addr, 16);
    }
    for (size_t i = 0; i < responder.order.subnet_count; i++) {
        if (subnet_contains(&responder.order.subnets[i], &origin->peer)) {
            return true;
        }
    }
    return false;
}

void origin_answer(const struct origin *origin, const uint8_t *answer, size_t size) {
    if (origin->stream) {
        stream_answer(origin->stream, answer, size);
    } else {
        (void)!sendto(origin->fd, answer, size, MSG_NOSIGNAL, (const struct sockaddr *)&origin->name, origin->name_size);
    }
}

// --- the table ---

static void read_table(void) {
    struct dns_table table;
    struct err err;
    if (dns_table_read(RESPONDER_ENDPOINTS, &table, &err) == 0) {
        dns_table_finish(&responder.table);
        responder.table = table;
        responder.stale = false;
    }
}

// --- answering ---

struct answering {
    const struct origin *origin;
    const uint8_t *message;
    const struct dns_query *query;
    size_t room;
};

static uint8_t out[DNS_MAX_SIZE];

static void answer_code(const struct answering *answering, enum dns_code code) {
    origin_answer(answering->origin, out, dns_write_code(answering->message, answering->query, code, out, answering->room));
}

// A name that is known has no records but its addresses; it is asked of nobody else.
static bool answer_name(const struct answering *answering, const char *name) {
    const struct dns_query *query = answering->query;
    struct address addresses[MAX_ADDRESSES];
    bool known = false, has_type = query->type == DNS_TYPE_A || query->type == DNS_TYPE_AAAA || query->type == DNS_TYPE_ANY;
    uint8_t family = query->type == DNS_TYPE_A ? AF_INET : query->type == DNS_TYPE_AAAA ? AF_INET6 : 0;
    size_t count = dns_table_find(&responder.table, name, family, responder.turn++, addresses, MAX_ADDRESSES, &known);
    if (!known) {
        return false;
    }
    size_t size = dns_write_addresses(answering->message, query, addresses, has_type ? count : 0, out, answering->room);
    origin_answer(answering->origin, out, size);
    return true;
}

// WEB and WEB.NETWORK are the same.
static bool answer_forward_name(const struct answering *answering) {
    char name[DNS_NAME_SIZE];
    if (answer_name(answering, answering->query->name)) {
        return true;
    }
    size_t length = strlen(answering->query->name), behind = strlen(responder.order.network);
    if (length <= behind || strcmp(answering->query->name + length - behind, responder.order.network) != 0) {
        return false;
    }
    memcpy(name, answering->query->name, length - behind);
    name[length - behind] = '\0';
    return answer_name(answering, name);
}

// Who has an address of the network is nobody else's business.
static bool answer_reverse(const struct answering *answering, const struct address *address) {
    bool ours = false;
    for (size_t i = 0; i < responder.order.subnet_count; i++) {
        ours = ours || subnet_contains(&responder.order.subnets[i], address);
    }
    const char *name = ours ? dns_table_name(&responder.table, address) : NULL;
    if (name && (answering->query->type == DNS_TYPE_PTR || answering->query->type == DNS_TYPE_ANY)) {
        origin_answer(answering->origin, out, dns_write_name(answering->message, answering->query, name, out, answering->room));
    } else if (ours) {
        answer_code(answering, name ? DNS_NO_ERROR : DNS_NO_SUCH_NAME);
    }
    return ours;
}

bool query_take(const struct origin *origin, const uint8_t *message, size_t size) {
    struct dns_query query;
    struct address address;
    enum dns_code code;
    if (dns_read_query(message, size, &query, &code) < 0) {
        return false;
    }
    const struct answering answering = {origin, message, &query, origin->stream ? DNS_MAX_SIZE : query.room};
    if (code != DNS_NO_ERROR) {
        answer_code(&answering, code);
        return true;
    }
    bool in = query.class == DNS_CLASS_IN && query.is_plain;
    if (responder.stale) {
        read_table();
    }
    if ((in && dns_read_reverse(query.name, &address) && answer_reverse(&answering, &address)) ||
        (in && answer_forward_name(&answering))) {
        return true;
    }
    const struct dns_asks *asks = dns_table_asks(&responder.table, &origin->peer);
    if (!dns_wants_others(message)) {
        answer_code(&answering, DNS_REFUSED); // a responder of another network wants to know what is known here
    } else if (responder.order.forward || (asks && asks->beside_count > 0)) {
        forward_start(origin, message, size, &query, asks);
    } else {
        answer_code(&answering, DNS_NO_SUCH_NAME);
    }
    return true;
}

// --- changes ---

// Of a thousand containers that start, none asks: the table is read by who does.
static void changed(void *object, unsigned part, short events) {
    char ignored[4096];
    (void)object, (void)part, (void)events;
    while (read(responder.watch_fd, ignored, sizeof(ignored)) > 0) {
    }
    responder.stale = true;
}

static bool has_endpoint(void) {
    AUTO_DIR DIR *stream = dir_stream(RESPONDER_ENDPOINTS);
    const struct dirent *entry = stream ? dir_next(stream) : NULL;
    while (entry && strchr(entry->d_name, '.')) {
        entry = dir_next(stream);
    }
    return entry != NULL;
}

// Without endpoints there is nothing to do. But one may have come whose command has found our lock still held, and relies on us: so
// we look once more when it is free. If another responder has it by then, all is well; a moment's look by somebody does not count.
static bool is_over(void) {
    if (responder.stale ? has_endpoint() : responder.table.endpoint_count > 0) {
        return false;
    }
    flock(RESPONDER_LOCK, LOCK_UN);
    read_table();
    for (int i = 0; i < 20 && responder.table.endpoint_count > 0; i++) {
        if (flock(RESPONDER_LOCK, LOCK_EX | LOCK_NB) == 0) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return true;
}

// --- the loop ---

static void datagrams_ready(void *object, unsigned part, short events) {
    static uint8_t message[QUERY_SIZE + 1];
    (void)object, (void)events;
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        struct origin origin = {.fd = (int)part, .name_size = sizeof(origin.name)};
        ssize_t size = recvfrom((int)part, message, sizeof(message), 0, (struct sockaddr *)&origin.name, &origin.name_size);
        if (size < 0) {
            return;
        }
        if (size <= QUERY_SIZE && origin_read_name(&origin)) {
            (void)!query_take(&origin, message, (size_t)size);
        }
    }
}

static void connection_ready(void *object, unsigned part, short events) {
    (void)object, (void)events;
    streams_accept((int)part);
}

static void collect(void) {
    responder.polls.count = 0;
    polls_add(responder.watch_fd, POLLIN, changed, NULL, 0); // first: a name is there for whoever asks behind it
    for (size_t i = 0; i < responder.order.subnet_count; i++) {
        unsigned fd = RESPONDER_SOCKETS + 2 * (unsigned)i;
        polls_add((int)fd, POLLIN, datagrams_ready, NULL, fd);
        polls_add((int)fd + 1, POLLIN, connection_ready, NULL, fd + 1);
    }
    streams_poll();
    forwards_poll();
}

static int time_left(int64_t next_ms) {
    int64_t left = next_ms == INT64_MAX ? -1 : next_ms - clock_now_ms();
    return next_ms == INT64_MAX ? -1 : left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool responder_has_work(void) {
    read_table();
    return !is_over();
}

void responder_serve(void) {
    for (;;) {
        int64_t next_ms = INT64_MAX, now_ms = clock_now_ms();
        if (is_over()) {
            return;
        }
        streams_tick(now_ms, &next_ms);
        forwards_tick(now_ms, &next_ms);
        forwards_sweep();
        streams_sweep();
        collect();
        if (poll(responder.polls.fds, responder.polls.count, time_left(next_ms)) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return;
        }
        for (size_t i = 0; i < responder.polls.count; i++) {
            short events = responder.polls.fds[i].revents;
            if (events) {
                responder.polls.owners[i].ready(responder.polls.owners[i].object, responder.polls.owners[i].part, events);
            }
        }
    }
}
