#include "images/plain_worker.h"

#include "images/layer_worker.h"
#include "images/source.h"
#include "images/unpack.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, STEP = 256 << 10 };

struct plain_worker {
    struct layer_worker process;
    struct plain_request request;
    int to_read;
    uint64_t told;
    uint64_t bytes; // plain ones so far
    uint8_t *room;
};

struct plain_worker *plain_worker_create(const struct plain_request *request, struct err *err) {
    struct unpack_order order = {
        .job = JOB_PLAIN,
        .is_pipe = request->is_pipe || request->feed != NULL,
        .offset = request->offset,
        .length = request->length,
        .compression = request->compression,
        .max_bytes = UNPACK_MAX_BYTES,
    };
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        err_sys(err, "make a pipe to the unpacker");
        return NULL;
    }
    AUTO_FD int to_read = pipes[0];
    AUTO_FD int to_write = pipes[1];
    (void)fcntl(to_write, F_SETPIPE_SZ, PIPE_BYTES);
    const struct layer_worker_ends ends = {.input_fd = request->input_fd, .dir_fd = request->input_fd, .output_fd = to_write};
    struct plain_worker *worker = mem_alloc(sizeof(*worker));
    *worker = (struct plain_worker){.request = *request, .to_read = -1};
    if (layer_worker_start(&worker->process, &ends, &order, err) < 0) {
        free(worker);
        return NULL;
    }
    worker->to_read = fd_take(&to_read);
    worker->room = mem_alloc(STEP);
    return worker;
}

void plain_worker_destroy(struct plain_worker *worker) {
    if (!worker) {
        return;
    }
    layer_worker_finish(&worker->process);
    fd_close(&worker->to_read);
    free(worker->room);
    free(worker);
}

static void listen(struct plain_worker *worker) {
    (void)layer_worker_step(&worker->process);
    uint64_t done = worker->process.progress.in_bytes;
    if (worker->request.progress && done != worker->told) {
        worker->told = done;
        worker->request.progress(worker->request.progress_context, done);
    }
}

static int end(struct plain_worker *worker, struct err *err) {
    return layer_worker_wait(&worker->process, err) < 0 ||
                   (worker->request.feed && source_stream_feed_rest(worker->request.feed, err) < 0)
               ? -1
               : 0;
}

// Waits until there are plain bytes, or their end. All pipes are kept moving: the worker may be waiting at either of its own.
static int wait_for_bytes(struct plain_worker *worker, struct err *err) {
    struct source_stream *feed = worker->request.feed;
    for (;;) {
        int timeout_ms = -1;
        struct pollfd polls[3] = {{.fd = worker->to_read, .events = POLLIN},
                                  {.fd = worker->process.ended ? -1 : worker->process.pipe, .events = POLLIN},
                                  {.fd = feed ? source_stream_wait_fd(feed, &timeout_ms) : -1, .events = POLLIN}};
        if (poll(polls, ARRAY_LEN(polls), timeout_ms) < 0 && errno != EINTR) {
            return err_sys(err, "wait for the unpacker");
        }
        if (feed && source_stream_feed(feed, err) < 0) {
            return -1;
        }
        if (polls[1].revents) {
            listen(worker);
        }
        if (polls[0].revents) {
            return 0;
        }
    }
}

static int next(void *context, const uint8_t **ret_data, size_t *ret_size, struct err *err) {
    struct plain_worker *worker = context;
    ssize_t got;
    do {
        if (wait_for_bytes(worker, err) < 0) {
            return -1;
        }
        got = read(worker->to_read, worker->room, STEP);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_sys(err, "read from the unpacker");
    }
    worker->bytes += (size_t)got;
    if (worker->bytes > UNPACK_MAX_BYTES) { // the worker has that bound too, but who has taken it over has none
        return err_set(err, ERR_INPUT, "data unpacks to more than the limit of %llu bytes", (unsigned long long)UNPACK_MAX_BYTES);
    }
    *ret_data = worker->room;
    *ret_size = (size_t)got;
    return got > 0 ? 0 : end(worker, err);
}

struct pieces plain_worker_pieces(struct plain_worker *worker) {
    return (struct pieces){.next = next, .context = worker};
}
