#include "images/unpack_worker.h"

#include "images/input.h"
#include "images/unpack_jail.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/wire.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

enum { MAX_MESSAGE = 256 << 20 }; // the three lists at their bounds do not reach it with sane names

enum message_kind { MESSAGE_PROGRESS, MESSAGE_RESULT, MESSAGE_ERROR };

struct message {
    uint32_t kind;
    uint32_t size; // of what follows
};

struct progress {
    uint64_t in_bytes, out_bytes;
};

// The result as it travels: digests as text, to be parsed as foreign text is.
struct report {
    const char *digest;
    const char *diff_id;
    struct unpack_result result;
};

static const struct wire_field link_fields[] = {
    WIRE(struct unpack_link, STRING, name),
    WIRE(struct unpack_link, STRING, target),
};
static const struct wire_record link_record = WIRE_TABLE(struct unpack_link, link_fields);

static const struct wire_field report_fields[] = {
    WIRE(struct report, STRING, digest),
    WIRE(struct report, STRING, diff_id),
    WIRE(struct report, U64, result.size),
    WIRE(struct report, U64, result.tar_size),
    WIRE(struct report, U64, result.entries),
    WIRE(struct report, U64, result.file_bytes),
    WIRE(struct report, U64, result.dropped_xattrs),
    WIRE(struct report, U64, result.skipped_devices),
    WIRE_COUNTED(struct report, STRINGS, result.implied_dirs, result.implied_count),
    WIRE_COUNTED(struct report, STRINGS, result.opaque_dirs, result.opaque_count),
    WIRE_ARRAY(struct report, result.links, result.link_count, link_record),
};
static const struct wire_record report_record = WIRE_TABLE(struct report, report_fields);

struct unpack_worker {
    pid_t pid;
    int pidfd;
    int pipe; // to read
    bool ended;
    struct buf heard; // a message not yet whole
    struct progress progress;
    bool has_last; // the message that ends it: a result or an error
    struct message last;
    char *last_body;
};

// In the worker.

static int send_message(int pipe_fd, enum message_kind kind, const void *body, size_t size) {
    const struct message head = {.kind = kind, .size = (uint32_t)size};
    return fd_write_all(pipe_fd, &head, sizeof(head)) < 0 ? -1 : fd_write_all(pipe_fd, body, size);
}

static void send_progress(void *context, uint64_t in_bytes, uint64_t out_bytes) {
    const int *pipe_fd = context;
    const struct progress progress = {.in_bytes = in_bytes, .out_bytes = out_bytes};
    if (send_message(*pipe_fd, MESSAGE_PROGRESS, &progress, sizeof(progress)) < 0) {
        _exit(1); // nobody listens any more
    }
}

static int send_result(int pipe_fd, const struct unpack_result *result) {
    AUTO_BUF struct buf message = {0};
    char digest[DIGEST_TEXT_SIZE], diff_id[DIGEST_TEXT_SIZE];
    struct report report = {
        .digest = result->digest.algorithm == DIGEST_NONE ? NULL : digest_format(&result->digest, digest),
        .diff_id = digest_format(&result->diff_id, diff_id),
        .result = *result,
    };
    wire_encode(&report_record, &report, &message);
    return send_message(pipe_fd, MESSAGE_RESULT, buf_string(&message), message.size);
}

static void init_input(struct input *input, const struct unpack_request *request) {
    if (request->is_pipe) {
        input_init_pipe(input, request->input_fd, request->length, request->algorithm);
    } else {
        input_init_file(input, request->input_fd, request->offset, request->length, request->algorithm);
    }
}

static _Noreturn void be_worker(const struct unpack_request *request, pid_t parent, int pipe_fd) {
    struct err err = {0};
    struct unpack_result result = {0};
    struct input input;
    struct unpack_options options = request->options;
    options.progress = send_progress;
    options.progress_context = &pipe_fd;
    // The parent may have died before the call that ties this process to it.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent) {
        _exit(1);
    }
    init_input(&input, request);
    int failed = unpack_jail_enter(request->input_fd, request->dir_fd, pipe_fd, &err);
    if (failed < 0) {
        err_in(&err, "confine the unpacker");
    } else {
        failed = unpack_layer(&input, request->dir_fd, &options, &result, &err);
    }
    failed = failed < 0 ? send_message(pipe_fd, MESSAGE_ERROR, &err, sizeof(err)) : send_result(pipe_fd, &result);
    _exit(failed < 0 ? 1 : 0);
}

// In the parent.

struct unpack_worker *unpack_worker_create(const struct unpack_request *request, struct err *err) {
    inflate_prepare();
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        err_sys(err, "make a pipe to the unpacker");
        return NULL;
    }
    AUTO_FD int to_read = pipes[0];
    AUTO_FD int to_write = pipes[1];
    pid_t parent = getpid();
    int pidfd = -1;
    pid_t pid = process_clone(CLONE_CLEAR_SIGHAND, -1, &pidfd);
    if (pid < 0) {
        err_sys(err, "start the unpacker");
        return NULL;
    }
    if (pid == 0) {
        be_worker(request, parent, to_write);
    }
    struct unpack_worker *worker = mem_alloc(sizeof(*worker));
    worker->pid = pid;
    worker->pidfd = pidfd;
    worker->pipe = fd_take(&to_read);
    return worker;
}

int unpack_worker_fd(const struct unpack_worker *worker) {
    return worker->pipe;
}

void unpack_worker_progress(const struct unpack_worker *worker, uint64_t *ret_in_bytes, uint64_t *ret_out_bytes) {
    *ret_in_bytes = worker->progress.in_bytes;
    *ret_out_bytes = worker->progress.out_bytes;
}

static void keep_last(struct unpack_worker *worker, const struct message *head, const char *body) {
    if (!worker->has_last) {
        worker->has_last = true;
        worker->last = *head;
        worker->last_body = memcpy(mem_alloc((size_t)head->size + 1), body, head->size);
    }
}

// Takes whole messages off the front. What makes no sense is left out: then there is no result, and that is an error.
static void take_messages(struct unpack_worker *worker) {
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
static bool listen_once(struct unpack_worker *worker) {
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

bool unpack_worker_step(struct unpack_worker *worker) {
    struct pollfd poll_fd = {.fd = worker->pipe, .events = POLLIN};
    while (!worker->ended && poll(&poll_fd, 1, 0) > 0) {
        worker->ended = !listen_once(worker);
    }
    return worker->ended;
}

static int wait_for(struct unpack_worker *worker, siginfo_t *ret_info) {
    int failed;
    do {
        failed = waitid(P_PID, (id_t)worker->pid, ret_info, WEXITED);
    } while (failed < 0 && errno == EINTR);
    worker->pid = 0;
    return failed;
}

static int died(const siginfo_t *info, struct err *err) {
    if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED) {
        return err_set(err, ERR_STATE, "the unpacker was killed by signal %d%s", info->si_status,
                       info->si_status == SIGSYS ? ": it made a system call that it has no use for" : "");
    }
    return err_set(err, ERR_STATE, "the unpacker ended without a result, with exit code %d", info->si_status);
}

static bool lists_are_whole(const struct unpack_result *result) {
    bool whole = true;
    for (size_t i = 0; i < result->implied_count; i++) {
        whole = whole && result->implied_dirs[i];
    }
    for (size_t i = 0; i < result->opaque_count; i++) {
        whole = whole && result->opaque_dirs[i];
    }
    for (size_t i = 0; i < result->link_count; i++) {
        whole = whole && result->links[i].name && result->links[i].target;
    }
    return whole;
}

static int decode_result(const struct unpack_worker *worker, struct unpack_result *ret_result, struct err *err) {
    struct report report = {0};
    AUTO_ARENA struct arena arena = {0};
    if (wire_decode(&report_record, worker->last_body, worker->last.size, &arena, &report, err) < 0) {
        return err_in(err, "the unpacker's result");
    }
    struct unpack_result *result = &report.result;
    if (!report.diff_id || !lists_are_whole(result)) {
        return err_set(err, ERR_STATE, "the unpacker's result is not whole");
    }
    if (digest_parse(report.diff_id, &result->diff_id, err) < 0 ||
        (report.digest && digest_parse(report.digest, &result->digest, err) < 0)) {
        return err_in(err, "the unpacker's result");
    }
    *ret_result = *result;
    ret_result->arena = arena;
    arena = (struct arena){0};
    return 0;
}

int unpack_worker_result(struct unpack_worker *worker, struct unpack_result *ret_result, struct err *err) {
    while (!worker->ended) {
        worker->ended = !listen_once(worker);
    }
    // A sound worker's end of the pipe closes by its exit, whose code stands by then. Any other one shall not live on.
    fd_close(&worker->pipe);
    sys_pidfd_send_signal(worker->pidfd, SIGKILL);
    siginfo_t info = {0};
    if (wait_for(worker, &info) < 0) {
        return err_sys(err, "wait for the unpacker");
    }
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
    return decode_result(worker, ret_result, err);
}

void unpack_worker_destroy(struct unpack_worker *worker) {
    if (!worker) {
        return;
    }
    if (worker->pid > 0) {
        siginfo_t info;
        sys_pidfd_send_signal(worker->pidfd, SIGKILL);
        (void)wait_for(worker, &info);
    }
    fd_close(&worker->pidfd);
    fd_close(&worker->pipe);
    buf_finish(&worker->heard);
    free(worker->last_body);
    free(worker);
}
