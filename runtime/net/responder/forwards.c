#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/net/responder/responder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// The next server is asked when one has said nothing for a while. Its yes is taken at once; its no, when those before it have had a
// moment more: theirs may be the names of a VPN, which nobody else knows. Then all are asked once more, and at last it is given up,
// before the C libraries of those who ask do so themselves (5 s).
enum { NEXT_MS = 500, AGAIN_MS = 1500, GIVE_UP_MS = 4000 };

// Responders of the other networks of who asks are on this host, and say at once what they know, and that they do not.
enum { BESIDE_MS = 300 };

// Servers of his own have numbers from here on.
enum { OWN_SERVER = 1000 };


struct attempt {
    unsigned server;
    int fd;
    uint16_t id;
    bool over; // nothing more comes from it
};

// A question that somebody has, asked of others.
struct forward {
    struct forward *next;
    bool done;
    struct origin origin;
    uint16_t id; // his
    uint8_t *message;
    size_t size;
    struct dns_query query;
    int64_t started_ms, next_ms;
    unsigned order[RESOLV_MAX_SERVERS];
    size_t order_count;
    struct attempt attempts[RESOLV_MAX_SERVERS];
    size_t attempt_count;
    bool asked_again;
    bool answered;      // he has his answer; what is awaited is only whether those before it are alive
    enum dns_code code; // what the last one that could not say has said
    uint8_t *held;      // a no of one that was not the first
    size_t held_size;
    // By TCP: behind an answer that was cut off.
    int tcp_fd;
    uint16_t tcp_id;
    uint8_t *tcp_in; // the length, then the answer
    size_t tcp_sent, tcp_received;
    struct dns_asks asks;
    struct attempt besides[DNS_MAX_BESIDES]; // before all others
    size_t beside_count;
    bool is_beside; // they are being asked
};

static void close_besides(struct forward *forward) {
    for (size_t i = 0; i < forward->beside_count; i++) {
        fd_close(&forward->besides[i].fd);
    }
    forward->beside_count = 0;
    forward->is_beside = false;
}

static void finish(struct forward *forward) {
    close_besides(forward);
    for (size_t i = 0; i < forward->attempt_count; i++) {
        fd_close(&forward->attempts[i].fd);
    }
    fd_close(&forward->tcp_fd);
    free(forward->message);
    free(forward->tcp_in);
    free(forward->held);
    forward->message = forward->tcp_in = forward->held = NULL;
    forward->done = true;
}

// Whether one of the first `count` that were asked has said nothing yet.
static bool is_awaited(const struct forward *forward, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!forward->attempts[i].over) {
            return true;
        }
    }
    return false;
}

static void give(struct forward *forward, uint8_t *answer, size_t size) {
    if (!forward->answered) {
        dns_set_id(answer, forward->id);
        origin_answer(&forward->origin, answer, size);
    }
    finish(forward);
}

// Gives it, and goes on listening to those who were asked before.
static void give_early(struct forward *forward, uint8_t *answer, size_t size, size_t number) {
    if (!is_awaited(forward, number)) {
        give(forward, answer, size);
        return;
    }
    if (!forward->answered) {
        dns_set_id(answer, forward->id);
        origin_answer(&forward->origin, answer, size);
        forward->answered = true;
        forward->next_ms = forward->started_ms + AGAIN_MS;
    }
    for (size_t i = number; i < forward->attempt_count; i++) {
        forward->attempts[i].over = true;
        fd_close(&forward->attempts[i].fd);
    }
    forward->order_count = forward->attempt_count;
}

static void give_code(struct forward *forward, enum dns_code code) {
    uint8_t answer[DNS_PLAIN_SIZE];
    size_t size = dns_write_code(forward->message, &forward->query, code, answer, sizeof(answer));
    give(forward, answer, size);
}

static uint16_t make_id(void) {
    uint16_t id = 0;
    (void)!getrandom(&id, sizeof(id), 0);
    return id;
}

// --- servers, the host's or his own ---

static int connect_to(const struct forward *forward, unsigned server, int type) {
    return server < OWN_SERVER ? upstream_connect(server, type)
                               : upstream_connect_to(&forward->asks.servers[server - OWN_SERVER], 0, type);
}

static void avoid(unsigned server, int64_t now_ms) {
    if (server < OWN_SERVER) {
        upstream_avoid(server, now_ms);
    }
}

static void trust(unsigned server) {
    if (server < OWN_SERVER) {
        upstream_trust(server);
    }
}

// --- by UDP ---

static void send_attempt(struct forward *forward, struct attempt *attempt) {
    dns_set_id(forward->message, attempt->id);
    if (send(attempt->fd, forward->message, forward->size, MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
        attempt->over = true;
    }
}

// Asks the next one; one that cannot even be reached leaves it to the one behind. When nobody is left it is over.
static void ask_next(struct forward *forward, int64_t now_ms) {
    while (forward->attempt_count < forward->order_count) {
        unsigned server = forward->order[forward->attempt_count];
        struct attempt *attempt = &forward->attempts[forward->attempt_count++];
        *attempt = (struct attempt){.server = server, .fd = connect_to(forward, server, SOCK_DGRAM), .id = make_id()};
        attempt->over = attempt->fd < 0;
        if (!attempt->over) {
            send_attempt(forward, attempt);
        }
        forward->next_ms = now_ms + NEXT_MS;
        if (!attempt->over) {
            return;
        }
        avoid(server, now_ms);
    }
    if (is_awaited(forward, forward->attempt_count)) {
        return;
    }
    if (forward->held) {
        give(forward, forward->held, forward->held_size);
    } else {
        give_code(forward, forward->code);
    }
}

static void fail(struct forward *forward, struct attempt *attempt, bool unreachable) {
    int64_t now_ms = clock_now_ms();
    attempt->over = true;
    fd_close(&attempt->fd);
    if (unreachable) {
        avoid(attempt->server, now_ms);
    }
    ask_next(forward, now_ms);
}

// Those that were asked and have said nothing for long come last for a while.
static void note_silence(const struct forward *forward, int64_t now_ms) {
    for (size_t i = 0; i < forward->attempt_count; i++) {
        if (!forward->attempts[i].over) {
            avoid(forward->attempts[i].server, now_ms);
        }
    }
}

// --- by TCP ---

static void tcp_fail(struct forward *forward) {
    fd_close(&forward->tcp_fd);
    give_code(forward, DNS_SERVER_FAILURE);
}

// give_fd: connected to the one whose answer was cut off, or below 0.
static void tcp_start(struct forward *forward, int give_fd) {
    forward->tcp_id = make_id();
    forward->tcp_fd = give_fd;
    forward->tcp_in = mem_alloc(2 + DNS_MAX_SIZE);
    for (size_t i = 0; i < forward->attempt_count; i++) {
        forward->attempts[i].over = true; // this one says all
        fd_close(&forward->attempts[i].fd);
    }
    forward->order_count = forward->attempt_count;
    if (forward->tcp_fd < 0) {
        tcp_fail(forward);
    }
}

// Returns false when no more can be sent now, or it has failed.
static bool tcp_send(struct forward *forward) {
    uint8_t whole[2 + QUERY_SIZE] = {(uint8_t)(forward->size >> 8), (uint8_t)forward->size};
    dns_set_id(forward->message, forward->tcp_id);
    memcpy(whole + 2, forward->message, forward->size);
    ssize_t sent = send(forward->tcp_fd, whole + forward->tcp_sent, 2 + forward->size - forward->tcp_sent, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != EINPROGRESS && errno != ENOTCONN) {
            tcp_fail(forward);
        }
        return false;
    }
    forward->tcp_sent += (size_t)sent;
    return true;
}

static void tcp_ready(void *object, unsigned part, short events) {
    struct forward *forward = object;
    (void)part;
    if (forward->done) {
        return;
    }
    if (forward->tcp_sent < 2 + forward->size) {
        if (events & (POLLERR | POLLHUP)) {
            tcp_fail(forward);
        } else {
            (void)tcp_send(forward);
        }
        return;
    }
    size_t length = forward->tcp_received < 2 ? 0 : (size_t)(forward->tcp_in[0] << 8 | forward->tcp_in[1]);
    size_t wanted = forward->tcp_received < 2 ? 2 : 2 + length;
    ssize_t size = recv(forward->tcp_fd, forward->tcp_in + forward->tcp_received, wanted - forward->tcp_received, 0);
    if (size <= 0) {
        if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
            tcp_fail(forward);
        }
        return;
    }
    forward->tcp_received += (size_t)size;
    length = forward->tcp_received < 2 ? 0 : (size_t)(forward->tcp_in[0] << 8 | forward->tcp_in[1]);
    if (forward->tcp_received < 2 || forward->tcp_received < 2 + length) {
        return;
    }
    dns_set_id(forward->message, forward->tcp_id);
    enum dns_reply reply = dns_judge(forward->tcp_in + 2, length, forward->message, forward->query.question_end);
    if (reply == DNS_REPLY_GOOD) {
        dns_set_wants_others(forward->tcp_in + 2, true); // one beside was told otherwise
        give(forward, forward->tcp_in + 2, length);
    } else {
        tcp_fail(forward);
    }
}

// --- what comes back ---

// A no is kept while those that were asked before may still say yes.
static void take_answer(struct forward *forward, size_t number, uint8_t *answer, size_t size) {
    bool is_yes = dns_has_answers(answer);
    trust(forward->attempts[number].server);
    forward->attempts[number].over = true;
    fd_close(&forward->attempts[number].fd);
    if (is_yes || !is_awaited(forward, number)) {
        give_early(forward, answer, size, number);
    } else if (!forward->held && !forward->answered) {
        forward->held = mem_alloc(size);
        memcpy(forward->held, answer, size);
        forward->held_size = size;
    }
}

static void udp_ready(void *object, unsigned part, short events) {
    static uint8_t answer[DNS_MAX_SIZE + 1];
    struct forward *forward = object;
    (void)events;
    if (forward->done || part >= forward->attempt_count || forward->attempts[part].fd < 0) {
        return;
    }
    struct attempt *attempt = &forward->attempts[part];
    ssize_t size = recv(attempt->fd, answer, sizeof(answer), 0);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            fail(forward, attempt, true);
        }
        return;
    }
    dns_set_id(forward->message, attempt->id);
    switch (dns_judge(answer, (size_t)size, forward->message, forward->query.question_end)) {
    case DNS_REPLY_STRANGE:
        return;
    case DNS_REPLY_FAILED:
        forward->code = (enum dns_code)(answer[3] & 0x0f);
        fail(forward, attempt, false);
        return;
    case DNS_REPLY_TRUNCATED: // who has asked by UDP asks again
        if (forward->origin.stream && !forward->answered) {
            tcp_start(forward, connect_to(forward, attempt->server, SOCK_STREAM));
            return;
        }
        break;
    case DNS_REPLY_GOOD:
        break;
    }
    take_answer(forward, part, answer, (size_t)size);
}

// --- those beside ---

static bool is_beside_awaited(const struct forward *forward) {
    for (size_t i = 0; i < forward->beside_count; i++) {
        if (!forward->besides[i].over) {
            return true;
        }
    }
    return false;
}

// Nobody beside knows it.
static void go_on(struct forward *forward, int64_t now_ms) {
    close_besides(forward);
    forward->started_ms = now_ms;
    ask_next(forward, now_ms);
}

static void beside_ready(void *object, unsigned part, short events) {
    static uint8_t answer[DNS_MAX_SIZE + 1];
    struct forward *forward = object;
    (void)events;
    if (forward->done || part >= forward->beside_count || forward->besides[part].over) {
        return;
    }
    struct attempt *attempt = &forward->besides[part];
    ssize_t size = recv(attempt->fd, answer, sizeof(answer), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    dns_set_id(forward->message, attempt->id);
    enum dns_reply reply =
        size < 0 ? DNS_REPLY_FAILED : dns_judge(answer, (size_t)size, forward->message, forward->query.question_end);
    if (reply == DNS_REPLY_TRUNCATED && forward->origin.stream) {
        close_besides(forward);
        dns_set_wants_others(forward->message, false);
        tcp_start(forward, upstream_connect_to(&forward->asks.besides[part], 0, SOCK_STREAM));
        return;
    }
    if (reply == DNS_REPLY_GOOD || reply == DNS_REPLY_TRUNCATED) {
        dns_set_wants_others(answer, true);
        give(forward, answer, (size_t)size);
        return;
    }
    attempt->over = attempt->over || reply == DNS_REPLY_FAILED;
    if (!is_beside_awaited(forward)) {
        go_on(forward, clock_now_ms());
    }
}

static void ask_besides(struct forward *forward, int64_t now_ms) {
    forward->is_beside = true;
    forward->next_ms = now_ms + BESIDE_MS;
    dns_set_wants_others(forward->message, false);
    for (; forward->beside_count < forward->asks.beside_count; forward->beside_count++) {
        struct attempt *attempt = &forward->besides[forward->beside_count];
        *attempt = (struct attempt){
            .fd = upstream_connect_to(&forward->asks.besides[forward->beside_count], 0, SOCK_DGRAM), .id = make_id()};
        attempt->over = attempt->fd < 0;
        if (!attempt->over) {
            send_attempt(forward, attempt);
        }
    }
    dns_set_wants_others(forward->message, true);
    if (!is_beside_awaited(forward)) {
        go_on(forward, now_ms);
    }
}

void forwards_poll(void) {
    for (struct forward *forward = responder.forwards; forward; forward = forward->next) {
        for (unsigned i = 0; i < forward->beside_count; i++) {
            if (!forward->besides[i].over) {
                polls_add(forward->besides[i].fd, POLLIN, beside_ready, forward, i);
            }
        }
        for (unsigned i = 0; i < forward->attempt_count; i++) {
            if (!forward->attempts[i].over) {
                polls_add(forward->attempts[i].fd, POLLIN, udp_ready, forward, i);
            }
        }
        if (forward->tcp_fd >= 0) {
            polls_add(forward->tcp_fd, forward->tcp_sent < 2 + forward->size ? POLLOUT : POLLIN, tcp_ready, forward, 0);
        }
    }
}

// --- what does not come back ---

static void tick(struct forward *forward, int64_t now_ms) {
    if (forward->is_beside) {
        go_on(forward, now_ms);
        return;
    }
    bool is_late = now_ms >= forward->started_ms + AGAIN_MS;
    if (now_ms >= forward->started_ms + GIVE_UP_MS || (is_late && (forward->answered || forward->held))) {
        note_silence(forward, now_ms);
        if (forward->held) {
            give(forward, forward->held, forward->held_size);
        } else {
            give_code(forward, DNS_SERVER_FAILURE);
        }
        return;
    }
    if (forward->tcp_fd >= 0) {
        forward->next_ms = forward->started_ms + GIVE_UP_MS;
        return;
    }
    if (forward->attempt_count < forward->order_count && !forward->held) {
        ask_next(forward, now_ms);
        return;
    }
    if (is_late && !forward->asked_again) {
        forward->asked_again = true;
        for (size_t i = 0; i < forward->attempt_count; i++) {
            if (!forward->attempts[i].over) {
                send_attempt(forward, &forward->attempts[i]);
            }
        }
    }
    forward->next_ms = forward->started_ms + (is_late ? GIVE_UP_MS : AGAIN_MS);
}

void forwards_tick(int64_t now_ms, int64_t *next_ms) {
    for (struct forward *forward = responder.forwards; forward; forward = forward->next) {
        if (!forward->done && now_ms >= forward->next_ms) {
            tick(forward, now_ms);
        }
        if (!forward->done && forward->next_ms < *next_ms) {
            *next_ms = forward->next_ms;
        }
    }
}

void forwards_sweep(void) {
    for (struct forward **at = &responder.forwards; *at;) {
        struct forward *forward = *at;
        if (forward->done) {
            *at = forward->next;
            free(forward);
            responder.forward_count--;
        } else {
            at = &forward->next;
        }
    }
}

void forwards_forget(const struct stream *stream) {
    for (struct forward *forward = responder.forwards; forward; forward = forward->next) {
        if (!forward->done && forward->origin.stream == stream) {
            finish(forward);
        }
    }
}

// --- beginning ---

static bool has_room(const struct address *peer) {
    size_t count = 0;
    for (const struct forward *forward = responder.forwards; forward; forward = forward->next) {
        count += !forward->done && !forward->answered && address_is_equal(&forward->origin.peer, peer);
    }
    return responder.forward_count < MAX_FORWARDS && count < MAX_FORWARDS_EACH;
}

// In which order to ask whom. An internal network asks nobody outside.
static void choose_servers(struct forward *forward, int64_t now_ms) {
    size_t own = forward->asks.server_count;
    if (!responder.order.forward) {
        forward->code = DNS_NO_SUCH_NAME;
    } else if (own == 0) {
        forward->order_count = upstreams_order(now_ms, forward->order);
    }
    for (unsigned i = 0; i < own && responder.order.forward; i++) {
        forward->order[forward->order_count++] = OWN_SERVER + i;
    }
}

void forward_start(const struct origin *origin, const uint8_t *message, size_t size, const struct dns_query *query,
                   const struct dns_asks *asks) {
    int64_t now_ms = clock_now_ms();
    upstreams_refresh(now_ms);
    if (!has_room(&origin->peer)) {
        uint8_t answer[DNS_PLAIN_SIZE];
        origin_answer(origin, answer, dns_write_code(message, query, DNS_SERVER_FAILURE, answer, sizeof(answer)));
        return;
    }
    struct forward *forward = mem_alloc(sizeof(*forward));
    forward->origin = *origin;
    forward->id = dns_id(message);
    forward->message = mem_alloc(size);
    memcpy(forward->message, message, size);
    forward->size = size;
    forward->query = *query;
    forward->started_ms = now_ms;
    forward->code = DNS_SERVER_FAILURE;
    forward->tcp_fd = -1;
    if (asks) {
        forward->asks = *asks;
    }
    choose_servers(forward, now_ms);
    forward->next = responder.forwards;
    responder.forwards = forward;
    responder.forward_count++;
    if (forward->asks.beside_count > 0) {
        ask_besides(forward, now_ms);
    } else {
        ask_next(forward, now_ms);
    }
}
