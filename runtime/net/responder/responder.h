// The responder's parts, and what they share. One thread, one loop over poll(2); nothing waits but there.
#ifndef COFFER_NET_RESPONDER_H
#define COFFER_NET_RESPONDER_H

#include "runtime/base/attr.h"
#include "runtime/net/dns_message.h"
#include "runtime/net/dns_names.h"
#include "runtime/net/dns_order.h"
#include "runtime/net/resolv.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct err;
struct forward;
struct stream;

// What one container can have of all, so that it cannot have everything.
enum {
    QUERY_SIZE = 1024, // the longest that is taken
    MAX_FORWARDS = 128,
    MAX_FORWARDS_EACH = 48,
    MAX_STREAMS = 32,
    MAX_STREAMS_EACH = 8,
    MAX_POLLS = 2 * DNS_MAX_FAMILIES + 1 + MAX_STREAMS + MAX_FORWARDS * (RESOLV_MAX_SERVERS + 1 + DNS_MAX_BESIDES),
};

// Whom to ask.
struct upstreams {
    struct resolv resolv;
    uint32_t scopes[RESOLV_MAX_SERVERS];        // interfaces of link-local ones
    int64_t avoid_until_ms[RESOLV_MAX_SERVERS]; // one that has not answered comes last for a while
    int64_t next_look_ms;
    struct stat seen[2]; // of the two files, when they were read
};

struct polls {
    struct pollfd fds[MAX_POLLS];
    struct {
        void (*ready)(void *object, unsigned part, short events);
        void *object;
        unsigned part;
    } owners[MAX_POLLS];
    size_t count;
};

struct responder {
    struct dns_order order;
    int watch_fd; // inotify(7) of the endpoints
    bool stale;   // something has changed there
    struct dns_table table;
    unsigned turn;
    struct upstreams upstreams;
    struct forward *forwards;
    size_t forward_count;
    struct stream *streams;
    size_t stream_count;
    struct polls polls;
};

extern struct responder responder;

// Who has asked: a connection, or somebody behind one of the sockets of UDP.
struct origin {
    struct stream *stream;
    int fd;
    struct address peer;
    struct sockaddr_storage name;
    socklen_t name_size;
};

void polls_add(int fd, short events, void (*ready)(void *object, unsigned part, short events), void *object, unsigned part);

// --- serve.c ---

// Reads the endpoints for the first time; false: there is none.
bool responder_has_work(void);

// Runs until the last endpoint is gone.
void responder_serve(void);

// A query has come. False: there is nothing to be answered, it is as if it had not come.
bool query_take(const struct origin *origin, const uint8_t *message, size_t size) MUST_CHECK;
void origin_answer(const struct origin *origin, const uint8_t *answer, size_t size);
bool origin_read_name(struct origin *origin); // fills peer from name; false: not in one of the network's subnets

// --- streams.c: connections ---

void streams_accept(int listener);
void streams_poll(void);
void streams_tick(int64_t now_ms, int64_t *next_ms);
void streams_sweep(void);
void stream_answer(struct stream *stream, const uint8_t *answer, size_t size);

// --- forwards.c: what others are asked ---

// asks: whom he may ask beside or instead; NULL: nobody.
void forward_start(const struct origin *origin, const uint8_t *message, size_t size, const struct dns_query *query,
                   const struct dns_asks *asks);
void forwards_poll(void);
void forwards_tick(int64_t now_ms, int64_t *next_ms);
void forwards_sweep(void);
void forwards_forget(const struct stream *stream); // its connection is gone

// --- upstreams.c ---

void upstreams_refresh(int64_t now_ms);
// In the order in which to ask them; returns how many.
size_t upstreams_order(int64_t now_ms, unsigned order[RESOLV_MAX_SERVERS]);
// A socket that is connected to it, not blocking, or -1 with errno.
int upstream_connect(unsigned server, int type) MUST_CHECK;
int upstream_connect_to(const struct address *address, uint32_t scope, int type) MUST_CHECK;
void upstream_avoid(unsigned server, int64_t now_ms); // for a while it comes last
void upstream_trust(unsigned server);

// --- jail.c ---

int responder_jail_enter(struct err *err) MUST_CHECK;

#endif
