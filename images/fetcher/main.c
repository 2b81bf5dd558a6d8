// The fetcher: a program of its own, with libcurl and the C library of the host. It is started with a socket
// (images/fetch_message.h), and with the environment variables that name proxies and certificates.
#include "images/fetcher/jail.h"
#include "images/fetcher/transfer.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_WAITS = 64, WAIT_MS = 60 * 1000 };

struct loop {
    CURLM *multi;
    struct transfer *running, *ending; // lists; ending: libcurl is done, out_fd is not
};

static void unlink_from(struct transfer **list, struct transfer *transfer) {
    while (*list && *list != transfer) {
        list = &(*list)->next;
    }
    if (*list) {
        *list = transfer->next;
    }
}

static struct transfer *find(struct transfer *list, uint32_t id) {
    while (list && list->id != id) {
        list = list->next;
    }
    return list;
}

static void start(struct loop *loop, const struct fetch_packet *packet, int *fds, size_t count) {
    struct err err = {0};
    size_t next = 1;
    int body = packet->flags & FETCH_HAS_BODY && next < count ? fd_take(&fds[next++]) : -1;
    int out = packet->flags & FETCH_HAS_OUT && next < count ? fd_take(&fds[next++]) : -1;
    int keep = packet->flags & FETCH_HAS_KEEP && next < count ? fd_take(&fds[next++]) : -1;
    struct transfer *transfer = count > 0 ? transfer_create(FETCHER_SOCKET, packet->id, fds[0], body, out, &err) : NULL;
    if (!transfer) {
        transfer_refuse(FETCHER_SOCKET, packet->id, &err);
        fd_close(&keep);
        return;
    }
    transfer_keep(transfer, keep);
    transfer->next = loop->running;
    loop->running = transfer;
    curl_multi_add_handle(loop->multi, transfer->easy);
}

static void stop(struct loop *loop, uint32_t id) {
    struct transfer *transfer = find(loop->running, id);
    if (transfer) {
        curl_multi_remove_handle(loop->multi, transfer->easy);
        unlink_from(&loop->running, transfer);
    } else if ((transfer = find(loop->ending, id))) {
        unlink_from(&loop->ending, transfer);
    }
    if (transfer) {
        transfer_destroy(transfer);
    }
}

// One that has ended meanwhile has nothing more to keep.
static void keep(struct loop *loop, uint32_t id, int *fds, size_t count) {
    struct transfer *transfer = find(loop->running, id);
    if (transfer && count > 0) {
        transfer_keep(transfer, fd_take(&fds[0]));
    }
}

// One packet with its descriptors. False: there is none now.
static bool hear(struct loop *loop) {
    struct fetch_packet packet;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(FETCH_MAX_FDS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = &packet, .iov_len = sizeof(packet)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
    int fds[FETCH_MAX_FDS] = {-1, -1, -1, -1};
    size_t count = 0;
    ssize_t got = recvmsg(FETCHER_SOCKET, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got != sizeof(packet)) {
        _exit(0); // the caller is gone
    }
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(head), count * sizeof(int));
    }
    if (packet.kind == FETCH_PACKET_START) {
        start(loop, &packet, fds, count);
    } else if (packet.kind == FETCH_PACKET_KEEP) {
        keep(loop, packet.id, fds, count);
    } else {
        stop(loop, packet.id);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fd_close(&fds[i]);
    }
    return true;
}

static void finish(struct loop *loop, struct transfer *transfer) {
    unlink_from(&loop->running, transfer);
    if (transfer_finish(transfer)) {
        transfer_destroy(transfer);
    } else {
        transfer->next = loop->ending;
        loop->ending = transfer;
    }
}

static void collect(struct loop *loop) {
    int left;
    for (CURLMsg *news; (news = curl_multi_info_read(loop->multi, &left));) {
        struct transfer *transfer = NULL;
        CURLcode code = news->data.result;
        CURL *easy = news->easy_handle;
        if (news->msg == CURLMSG_DONE && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) == CURLE_OK && transfer) {
            curl_multi_remove_handle(loop->multi, easy);
            transfer->code = code;
            finish(loop, transfer);
        }
    }
}

// What is waited for beside libcurl's sockets: orders, and pipes that are full.
static unsigned watch(const struct loop *loop, struct curl_waitfd waits[MAX_WAITS]) {
    unsigned count = 0;
    waits[count++] = (struct curl_waitfd){.fd = FETCHER_SOCKET, .events = CURL_WAIT_POLLIN};
    for (const struct transfer *at = loop->running; at && count < MAX_WAITS; at = at->next) {
        if (at->out_full) {
            waits[count++] = (struct curl_waitfd){.fd = at->out_fd, .events = CURL_WAIT_POLLOUT};
        }
    }
    for (const struct transfer *at = loop->ending; at && count < MAX_WAITS; at = at->next) {
        waits[count++] = (struct curl_waitfd){.fd = at->out_fd, .events = CURL_WAIT_POLLOUT};
    }
    return count;
}

static bool takes_more(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) > 0;
}

static void go_on(struct loop *loop) {
    for (struct transfer *at = loop->running; at; at = at->next) {
        if (at->out_full && takes_more(at->out_fd)) {
            transfer_go_on(at);
        }
        transfer_tell(at);
    }
    for (struct transfer *at = loop->ending, *next; at; at = next) {
        next = at->next;
        if (takes_more(at->out_fd) && transfer_finish(at)) {
            unlink_from(&loop->ending, at);
            transfer_destroy(at);
        }
    }
}

static _Noreturn void run(struct loop *loop) {
    struct curl_waitfd waits[MAX_WAITS];
    for (int running;;) {
        while (hear(loop)) {
        }
        curl_multi_perform(loop->multi, &running);
        collect(loop);
        go_on(loop);
        curl_multi_perform(loop->multi, &running);
        collect(loop);
        curl_multi_poll(loop->multi, waits, watch(loop, waits), WAIT_MS, NULL);
    }
}

int main(void) {
    struct err err = {0};
    struct loop loop = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (fetcher_jail_enter(FETCHER_SOCKET, &err) < 0) {
        _exit(FETCHER_EXIT_CONFINE);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(loop.multi = curl_multi_init())) {
        _exit(1);
    }
    run(&loop);
}
