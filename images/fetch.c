#include "images/fetch.h"

#include "images/fetch_message.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sealed.h"
#include "runtime/kernel/sys.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

extern const char fetcher_image[];
extern const char fetcher_image_end[];

static_assert((int)FETCHER_SOCKET == (int)SEALED_FIRST_FD, "as it is given");

struct fetcher {
    int pidfd; // -1: it has ended
    int socket;
    uint32_t last_id;
    struct fetch *fetches; // a list
    struct err broken;     // kind ERR_NONE: it lives
    char *packet;          // room for one
};

struct fetch {
    struct fetcher *fetcher;
    struct fetch *next;
    uint32_t id;
    bool has_answer, ended, failed, transient;
    uint64_t received, sent;
    int keep_errnum;
    struct fetch_answer answer;
    struct buf body;
    struct err err;
    struct arena arena;
};

int fetcher_create(const char *const *environment, struct fetcher **ret_fetcher, struct err *err) {
    int pair[2], pidfd;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return err_sys(err, "make a socket to the fetcher");
    }
    AUTO_FD int ours = pair[0];
    AUTO_FD int theirs = pair[1];
    const struct sealed_ends ends = {.fds = &theirs, .count = 1, .environment = environment};
    if (sealed_start("coffer-fetcher", fetcher_image, (size_t)(fetcher_image_end - fetcher_image), &ends, &pidfd, err) < 0) {
        return -1;
    }
    struct fetcher *fetcher = mem_alloc(sizeof(*fetcher));
    *fetcher = (struct fetcher){.pidfd = pidfd, .socket = fd_take(&ours), .packet = mem_alloc(FETCHER_MAX_PACKET)};
    *ret_fetcher = fetcher;
    return 0;
}

static void end_process(struct fetcher *fetcher, siginfo_t *ret_end) {
    sys_pidfd_send_signal(fetcher->pidfd, SIGKILL);
    process_reap(fetcher->pidfd, ret_end);
    fd_close(&fetcher->pidfd);
}

void fetcher_destroy(struct fetcher *fetcher) {
    if (!fetcher) {
        return;
    }
    siginfo_t info;
    if (fetcher->pidfd >= 0) {
        end_process(fetcher, &info);
    }
    for (struct fetch *fetch = fetcher->fetches; fetch; fetch = fetch->next) {
        fetch->fetcher = NULL;
    }
    fd_close(&fetcher->socket);
    free(fetcher->packet);
    free(fetcher);
}

void fetcher_cleanup(struct fetcher **fetcher) {
    fetcher_destroy(*fetcher);
    *fetcher = NULL;
}

int fetcher_fd(const struct fetcher *fetcher) {
    return fetcher->socket;
}

static struct fetch *find(const struct fetcher *fetcher, uint32_t id) {
    struct fetch *fetch = fetcher->fetches;
    while (fetch && fetch->id != id) {
        fetch = fetch->next;
    }
    return fetch;
}

static void fail(struct fetch *fetch, const struct err *err, bool transient) {
    fetch->ended = fetch->failed = true;
    fetch->transient = transient;
    fetch->err = *err;
}

static int died(struct fetcher *fetcher, struct err *err) {
    siginfo_t info;
    // It closes its end by exiting, and its exit code stands by then; any other one shall not live on.
    struct pollfd poll_fd = {.fd = fetcher->pidfd, .events = POLLIN};
    (void)poll(&poll_fd, 1, 1000);
    end_process(fetcher, &info);
    if (info.si_code != CLD_EXITED) {
        err_set(err, ERR_STATE, "the fetcher was killed by signal %d", info.si_status);
    } else if (info.si_status == SEALED_NOT_STARTED) {
        err_set(err, ERR_UNSUPPORTED, "the fetcher cannot start: registries need libcurl; install the package libcurl4");
    } else {
        err_set(err, ERR_STATE, "the fetcher ended with exit code %d%s", info.si_status,
                info.si_status == FETCHER_EXIT_CONFINE ? ": it could not lay down its privileges" : "");
    }
    fetcher->broken = *err;
    for (struct fetch *fetch = fetcher->fetches; fetch; fetch = fetch->next) {
        if (!fetch->ended) {
            fail(fetch, err, false);
        }
    }
    return -1;
}

// "name: value" from a process that has read strangers' bytes: what is no printable text is a question mark by then, and here
// again.
static void take_line(struct fetch *fetch, char *line) {
    char *colon = strchr(line, ':');
    if (!colon) {
        return;
    }
    for (char *at = line; *at; at++) {
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
    }
    *colon = '\0';
    char *value = colon + 1;
    while (*value == ' ') {
        value++;
    }
    fetch->answer.headers[fetch->answer.headers_count++] = (struct text_pair){.name = line, .value = value};
}

static int take_answer(struct fetch *fetch, const char *body, size_t size, struct err *err) {
    struct fetch_head head = {0};
    if (wire_decode(&fetch_head_record, body, size, &fetch->arena, &head, err) < 0) {
        return -1;
    }
    fetch->answer.status = head.status < 1000 ? (int)head.status : 0;
    fetch->answer.headers = arena_array(&fetch->arena, head.lines_count + 1, sizeof(*fetch->answer.headers));
    for (size_t i = 0; i < head.lines_count; i++) {
        if (head.lines[i]) {
            take_line(fetch, arena_copy_string(&fetch->arena, head.lines[i]));
        }
    }
    fetch->has_answer = true;
    return 0;
}

static int take_ending(struct fetch *fetch, const char *body, size_t size, struct err *err) {
    struct fetch_ending ending = {0};
    if (wire_decode(&fetch_ending_record, body, size, &fetch->arena, &ending, err) < 0) {
        return -1;
    }
    fetch->received = ending.received;
    fetch->sent = ending.sent;
    fetch->keep_errnum = (int)ending.keep_errnum;
    fetch->ended = true;
    if (ending.failed || !fetch->has_answer) {
        struct err failure;
        char text[ERR_TEXT_SIZE] = "the transfer ended without an answer";
        if (ending.text) {
            snprintf(text, sizeof(text), "%s", ending.text);
        }
        for (char *at = text; *at; at++) {
            *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
        }
        err_set(&failure, ERR_STATE, "%s", text);
        failure.errnum = (int)ending.errnum;
        fail(fetch, &failure, ending.transient);
    }
    fetch->answer.body = buf_string(&fetch->body);
    fetch->answer.body_size = fetch->body.size;
    return 0;
}

static int take_packet(struct fetcher *fetcher, const char *packet, size_t size, struct err *err) {
    struct fetch_packet head;
    struct fetch_progress progress;
    if (size < sizeof(head)) {
        return err_set(err, ERR_STATE, "the fetcher speaks in riddles");
    }
    memcpy(&head, packet, sizeof(head));
    const char *body = packet + sizeof(head);
    size -= sizeof(head);
    struct fetch *fetch = find(fetcher, head.id);
    if (!fetch || fetch->ended) {
        return 0; // broken off meanwhile
    }
    switch (head.kind) {
    case FETCH_PACKET_ANSWER:
        return take_answer(fetch, body, size, err);
    case FETCH_PACKET_END:
        return take_ending(fetch, body, size, err);
    case FETCH_PACKET_PROGRESS:
        if (size == sizeof(progress)) {
            memcpy(&progress, body, sizeof(progress));
            fetch->received = progress.received;
            fetch->sent = progress.sent;
            fetch->keep_errnum = (int)progress.keep_errnum;
        }
        return 0;
    case FETCH_PACKET_DATA:
        if (fetch->body.size + size > FETCH_MAX_BODY) {
            return err_set(err, ERR_STATE, "the fetcher sends more than was asked for");
        }
        buf_add(&fetch->body, body, size);
        return 0;
    default:
        return err_set(err, ERR_STATE, "the fetcher speaks in riddles");
    }
}

int fetcher_step(struct fetcher *fetcher, struct err *err) {
    if (fetcher->broken.kind != ERR_NONE) {
        *err = fetcher->broken;
        return -1;
    }
    for (;;) {
        ssize_t got = recv(fetcher->socket, fetcher->packet, FETCHER_MAX_PACKET, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return 0;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return died(fetcher, err);
        }
        if (take_packet(fetcher, fetcher->packet, (size_t)got, err) < 0) {
            fetcher->broken = *err;
            return -1;
        }
    }
}

static int write_order(const struct fetch_request *request, struct err *err) {
    AUTO_BUF struct buf message = {0};
    static const struct fetch_tls plain;
    const struct fetch_tls *tls = request->tls ? request->tls : &plain;
    const struct fetch_order order = {
        .method = request->method,
        .url = request->url,
        .headers = (const char **)(uintptr_t)request->headers,
        .headers_count = request->headers_count,
        .ca_pem = tls->ca_pem,
        .cert_pem = tls->cert_pem,
        .key_pem = tls->key_pem,
        .ca_alone = tls->ca_alone,
        .insecure = tls->insecure,
        .body = request->body,
        .body_size = request->body ? request->body_size : 0,
        .body_offset = request->body_offset,
        .body_length = request->body_length,
        .resume_at = request->resume_at,
        .until = request->until,
        .max_bytes = request->max_bytes ? request->max_bytes : FETCH_MAX_BODY,
    };
    wire_encode(&fetch_order_record, &order, &message);
    AUTO_FD int fd = memfd_create("fetch-order", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, message.data, message.size) < 0) {
        return err_sys(err, "write the fetcher's order");
    }
    return fd_take(&fd);
}

static int send_order(struct fetcher *fetcher, const struct fetch_packet *packet, const int *fds, size_t count, struct err *err) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(FETCH_MAX_FDS * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet, .iov_len = sizeof(*packet)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(fetcher->socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    // It may have ended before it heard a word: why is what counts.
    return sent < 0 ? errno == EPIPE || errno == ECONNRESET ? died(fetcher, err) : err_sys(err, "give the fetcher an order") : 0;
}

int fetch_start(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret_fetch, struct err *err) {
    if (fetcher->broken.kind != ERR_NONE) {
        *err = fetcher->broken;
        return -1;
    }
    AUTO_FD int order = write_order(request, err);
    if (order < 0) {
        return -1;
    }
    int fds[FETCH_MAX_FDS] = {order};
    size_t count = 1;
    struct fetch_packet packet = {.kind = FETCH_PACKET_START, .id = ++fetcher->last_id};
    bool has_body_fd = !request->body && request->body_fd >= 0 && request->body_length > 0;
    if (has_body_fd) {
        packet.flags |= FETCH_HAS_BODY;
        fds[count++] = request->body_fd;
    }
    if (request->out_fd >= 0) {
        packet.flags |= FETCH_HAS_OUT;
        fds[count++] = request->out_fd;
    }
    if (request->keeps) {
        packet.flags |= FETCH_HAS_KEEP;
        fds[count++] = request->keep_fd;
    }
    if (send_order(fetcher, &packet, fds, count, err) < 0) {
        return -1;
    }
    struct fetch *fetch = mem_alloc(sizeof(*fetch));
    *fetch = (struct fetch){.fetcher = fetcher, .next = fetcher->fetches, .id = packet.id, .received = request->resume_at};
    fetcher->fetches = fetch;
    *ret_fetch = fetch;
    return 0;
}

void fetch_end(struct fetch *fetch) {
    if (!fetch) {
        return;
    }
    struct fetcher *fetcher = fetch->fetcher;
    if (fetcher) {
        struct fetch **at = &fetcher->fetches;
        while (*at != fetch) {
            at = &(*at)->next;
        }
        *at = fetch->next;
        if (!fetch->ended && fetcher->broken.kind == ERR_NONE) {
            const struct fetch_packet packet = {.kind = FETCH_PACKET_STOP, .id = fetch->id};
            (void)send(fetcher->socket, &packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
    buf_finish(&fetch->body);
    arena_finish(&fetch->arena);
    free(fetch);
}

void fetch_cleanup(struct fetch **fetch) {
    fetch_end(*fetch);
    *fetch = NULL;
}

void fetch_keep(struct fetch *fetch, int keep_fd) {
    const struct fetch_packet packet = {.kind = FETCH_PACKET_KEEP, .id = fetch->id};
    struct err ignored; // a fetcher that has died says so at the next step
    if (fetch->fetcher && !fetch->ended && fetch->fetcher->broken.kind == ERR_NONE) {
        (void)!send_order(fetch->fetcher, &packet, &keep_fd, 1, &ignored);
    }
}

int fetch_keep_errnum(const struct fetch *fetch) {
    return fetch->keep_errnum;
}

bool fetch_ended(const struct fetch *fetch) {
    return fetch->ended;
}

uint64_t fetch_bytes(const struct fetch *fetch) {
    return fetch->received;
}

uint64_t fetch_sent(const struct fetch *fetch) {
    return fetch->sent;
}

const struct fetch_answer *fetch_answer(const struct fetch *fetch) {
    return fetch->has_answer ? &fetch->answer : NULL;
}

int fetch_result(const struct fetch *fetch, bool *ret_transient, struct err *err) {
    if (ret_transient) {
        *ret_transient = fetch->failed && fetch->transient;
    }
    if (!fetch->failed) {
        return 0;
    }
    *err = fetch->err;
    return -1;
}

int fetch_run(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret_fetch, bool *ret_transient,
              struct err *err) {
    AUTO_FETCH struct fetch *fetch = NULL;
    if (ret_transient) {
        *ret_transient = false;
    }
    if (fetch_start(fetcher, request, &fetch, err) < 0) {
        return -1;
    }
    while (!fetch->ended) {
        struct pollfd poll_fd = {.fd = fetcher->socket, .events = POLLIN};
        if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR) {
            return err_sys(err, "wait for the fetcher");
        }
        if (fetcher_step(fetcher, err) < 0) {
            return -1;
        }
    }
    if (fetch_result(fetch, ret_transient, err) < 0) {
        return -1;
    }
    *ret_fetch = fetch;
    fetch = NULL;
    return 0;
}

const char *fetch_header(const struct fetch_answer *answer, const char *name) {
    for (size_t i = 0; i < answer->headers_count; i++) {
        if (strcmp(answer->headers[i].name, name) == 0) {
            return answer->headers[i].value;
        }
    }
    return NULL;
}
