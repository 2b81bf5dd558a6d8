#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/net/responder/responder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MS = 10 * 1000 };

// A connection: one query after another, each answered before the next is read (RFC 7766 allows more, needs it not).
struct stream {
    struct stream *next;
    struct origin origin;
    int fd;
    bool closed, waiting; // for the answer of another server
    int64_t deadline_ms;
    uint8_t in[2 + QUERY_SIZE];
    size_t in_size;
    uint8_t *out; // an answer that did not go at once
    size_t out_size, out_sent;
};

static void shut(struct stream *stream) {
    if (!stream->closed) {
        stream->closed = true;
        fd_close(&stream->fd);
        forwards_forget(stream);
    }
}

void streams_accept(int listener) {
    struct origin origin = {.fd = -1, .name_size = sizeof(origin.name)};
    size_t count = 0;
    AUTO_FD int fd = accept4(listener, (struct sockaddr *)&origin.name, &origin.name_size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || !origin_read_name(&origin)) {
        return;
    }
    for (const struct stream *other = responder.streams; other; other = other->next) {
        count += !other->closed && address_is_equal(&other->origin.peer, &origin.peer);
    }
    if (responder.stream_count >= MAX_STREAMS || count >= MAX_STREAMS_EACH) {
        return;
    }
    struct stream *stream = mem_alloc(sizeof(*stream));
    stream->origin = origin;
    stream->origin.stream = stream;
    stream->fd = fd_take(&fd);
    stream->deadline_ms = clock_now_ms() + IDLE_MS;
    stream->next = responder.streams;
    responder.streams = stream;
    responder.stream_count++;
}

// Takes the first query out of what has come, if it is whole.
static void take_query(struct stream *stream) {
    uint8_t message[QUERY_SIZE];
    size_t length = stream->in_size < 2 ? 0 : (size_t)(stream->in[0] << 8 | stream->in[1]);
    if (stream->in_size < 2 || (length <= QUERY_SIZE && stream->in_size < 2 + length)) {
        return;
    }
    if (length > QUERY_SIZE) {
        shut(stream);
        return;
    }
    memcpy(message, stream->in + 2, length);
    stream->in_size -= 2 + length;
    memmove(stream->in, stream->in + 2 + length, stream->in_size);
    stream->waiting = true;
    if (!query_take(&stream->origin, message, length)) {
        shut(stream);
    }
}

static void send_rest(struct stream *stream) {
    ssize_t sent = send(stream->fd, stream->out + stream->out_sent, stream->out_size - stream->out_sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        shut(stream);
        return;
    }
    stream->out_sent += sent > 0 ? (size_t)sent : 0;
    if (stream->out_sent == stream->out_size) {
        free(stream->out);
        stream->out = NULL;
        stream->out_size = stream->out_sent = 0;
    }
}

void stream_answer(struct stream *stream, const uint8_t *answer, size_t size) {
    if (stream->closed || size > DNS_MAX_SIZE) {
        return;
    }
    stream->waiting = false;
    stream->deadline_ms = clock_now_ms() + IDLE_MS;
    stream->out = mem_alloc(2 + size);
    stream->out[0] = (uint8_t)(size >> 8);
    stream->out[1] = (uint8_t)size;
    memcpy(stream->out + 2, answer, size);
    stream->out_size = 2 + size;
    stream->out_sent = 0;
    send_rest(stream);
}

static void stream_ready(void *object, unsigned part, short events) {
    struct stream *stream = object;
    (void)part;
    if (stream->closed) {
        return;
    }
    if (stream->waiting) { // polled for its end alone
        if (events & (POLLERR | POLLHUP)) {
            shut(stream);
        }
        return;
    }
    if (stream->out) {
        send_rest(stream);
        return;
    }
    ssize_t size = recv(stream->fd, stream->in + stream->in_size, sizeof(stream->in) - stream->in_size, 0);
    if (size <= 0) {
        if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
            shut(stream);
        }
        return;
    }
    stream->in_size += (size_t)size;
    take_query(stream);
}

void streams_poll(void) {
    for (struct stream *stream = responder.streams; stream; stream = stream->next) {
        polls_add(stream->fd, stream->waiting ? 0 : stream->out ? POLLOUT : POLLIN, stream_ready, stream, 0);
    }
}

// Queries that came together with one that is answered by now are taken, too.
void streams_tick(int64_t now_ms, int64_t *next_ms) {
    for (struct stream *stream = responder.streams; stream; stream = stream->next) {
        for (size_t before = SIZE_MAX; !stream->closed && !stream->waiting && !stream->out && stream->in_size < before;) {
            before = stream->in_size;
            take_query(stream);
        }
        if (!stream->closed && now_ms >= stream->deadline_ms) {
            shut(stream);
        }
        if (!stream->closed && stream->deadline_ms < *next_ms) {
            *next_ms = stream->deadline_ms;
        }
    }
}

void streams_sweep(void) {
    for (struct stream **at = &responder.streams; *at;) {
        struct stream *stream = *at;
        if (stream->closed) {
            *at = stream->next;
            free(stream->out);
            free(stream);
            responder.stream_count--;
        } else {
            at = &stream->next;
        }
    }
}
