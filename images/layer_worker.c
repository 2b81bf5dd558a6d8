#include "images/layer_worker.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sealed.h"
#include "runtime/kernel/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_MESSAGE = 256 << 20 }; // the three lists at their bounds do not reach it with sane names

extern const char unpacker_image[];
extern const char unpacker_image_end[];

static_assert((int)UNPACKER_INPUT == (int)SEALED_FIRST_FD && (int)UNPACKER_OUTPUT == (int)SEALED_FIRST_FD + 4, "as they are given");

unsigned layer_workers_for(unsigned wished) {
    cpu_set_t set;
    unsigned count = wished > 0 ? wished : sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > LAYER_WORKERS_MAX ? LAYER_WORKERS_MAX : count;
}

static int make_request(const struct unpack_order *order, struct err *err) {
    AUTO_BUF struct buf message = {0};
    wire_encode(&unpack_order_record, order, &message);
    AUTO_FD int fd = memfd_create("unpack-request", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, message.data, message.size) < 0) {
        return err_sys(err, "write the unpacker's request");
    }
    return fd_take(&fd);
}

int layer_worker_start(struct layer_worker *worker, const struct layer_worker_ends *ends, struct unpack_order *order,
                       struct err *err) {
    *worker = (struct layer_worker){.pidfd = -1, .pipe = -1};
    order->parent = getpid();
    order->has_output = ends->output_fd >= 0;
    AUTO_FD int request = make_request(order, err);
    if (request < 0) {
        return -1;
    }
    int pipes[2], pidfd;
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe to the unpacker");
    }
    AUTO_FD int to_read = pipes[0];
    AUTO_FD int to_write = pipes[1];
    const int from[] = {ends->input_fd, ends->dir_fd, to_write, request, ends->output_fd};
    const struct sealed_ends given = {.fds = from, .count = ARRAY_LEN(from) - (order->has_output ? 0 : 1)};
    if (sealed_start("coffer-unpacker", unpacker_image, (size_t)(unpacker_image_end - unpacker_image), &given, &pidfd, err) < 0) {
        return -1;
    }
    worker->pidfd = pidfd;
    worker->pipe = fd_take(&to_read);
    return 0;
}

static void keep_last(struct layer_worker *worker, const struct message *head, const char *body) {
    if (!worker->has_last) {
        worker->has_last = true;
        worker->last = *head;
        worker->last_body = memcpy(mem_alloc((size_t)head->size + 1), body, head->size);
    }
}

// Takes whole messages off the front. What makes no sense is left out: then there is no result, and that is an error.
static void take_messages(struct layer_worker *worker) {
    size_t at = 0;
    struct message head;
    while (worker->heard.size - at >= sizeof(head)) {
        memcpy(&head, worker->heard.data + at, sizeof(head));
        if (worker->heard.size - at - sizeof(head) < head.size) {
            break;
        }
        const char *body = worker->heard.data + at + sizeof(head);
        if (head.kind == MESSAGE_PROGRESS && head.size == sizeof(worker->progress)) {
            memcpy(&worker->progress, body, sizeof(worker->progress));
        } else if (head.kind == MESSAGE_RESULT || (head.kind == MESSAGE_ERROR && head.size == sizeof(struct err))) {
            keep_last(worker, &head, body);
        }
        at += sizeof(head) + head.size;
    }
    if (at > 0) {
        size_t left = worker->heard.size - at;
        memmove(worker->heard.data, worker->heard.data + at, left + 1);
        worker->heard.size = left;
    }
}

// One read. Returns false at the end.
static bool listen_once(struct layer_worker *worker) {
    enum { STEP = 64 << 10 };
    if (worker->heard.size > MAX_MESSAGE) {
        return false;
    }
    char *at = buf_reserve(&worker->heard, STEP);
    ssize_t got;
    do {
        got = read(worker->pipe, at, STEP);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    worker->heard.size += (size_t)got;
    worker->heard.data[worker->heard.size] = '\0';
    take_messages(worker);
    return true;
}

bool layer_worker_step(struct layer_worker *worker) {
    struct pollfd poll_fd = {.fd = worker->pipe, .events = POLLIN};
    while (!worker->ended && poll(&poll_fd, 1, 0) > 0) {
        worker->ended = !listen_once(worker);
    }
    return worker->ended;
}

static void end_process(struct layer_worker *worker, siginfo_t *ret_end) {
    sys_pidfd_send_signal(worker->pidfd, SIGKILL);
    process_reap(worker->pidfd, ret_end);
    fd_close(&worker->pidfd);
}

static int died(const siginfo_t *info, struct err *err) {
    if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED) {
        return err_set(err, ERR_STATE, "the unpacker was killed by signal %d%s", info->si_status,
                       info->si_status == SIGSYS ? ": it made a system call that it has no use for" : "");
    }
    return err_set(err, ERR_STATE, "the unpacker ended without a result, with exit code %d", info->si_status);
}

int layer_worker_wait(struct layer_worker *worker, struct err *err) {
    while (!worker->ended) {
        worker->ended = !listen_once(worker);
    }
    // A sound worker's end of the pipe closes by its exit, whose code stands by then. Any other one shall not live on.
    fd_close(&worker->pipe);
    siginfo_t info;
    end_process(worker, &info);
    if (worker->has_last && worker->last.kind == MESSAGE_ERROR) {
        memcpy(err, worker->last_body, sizeof(*err));
        err->text[sizeof(err->text) - 1] = '\0';
        for (char *at = err->text; *at; at++) { // it is a stranger's text, should the worker have been taken over
            *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
        }
        err->kind = err->kind > ERR_NONE && err->kind < ERR_KIND_COUNT ? err->kind : ERR_STATE;
        return -1;
    }
    if (!worker->has_last || info.si_code != CLD_EXITED || info.si_status != 0) {
        return died(&info, err);
    }
    return 0;
}

void layer_worker_finish(struct layer_worker *worker) {
    siginfo_t info;
    if (worker->pidfd >= 0) {
        end_process(worker, &info);
    }
    fd_close(&worker->pipe);
    buf_finish(&worker->heard);
    free(worker->last_body);
}
