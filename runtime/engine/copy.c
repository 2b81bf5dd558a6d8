#include "runtime/engine/copy.h"

#include "images/plain_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/copy_end.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct copying {
    struct copy_end from, to;
    struct arena arena;
    struct aside sender, taker;
};

static void copying_finish(struct copying *copying) {
    aside_finish(&copying->sender);
    aside_finish(&copying->taker);
    copy_end_finish(&copying->from);
    copy_end_finish(&copying->to);
    arena_finish(&copying->arena);
}

// One fails because the other did: the reader for want of one who takes, the writer for want of an end. NULL: it has not failed, whatever
// it has passed over.
static int choose_error(const struct err *sent, const struct err *taken, struct err *err) {
    bool sender_alone = sent && (sent->errnum != EPIPE || !taken);
    if (sender_alone || taken) {
        *err = sender_alone ? *sent : *taken;
        return -1;
    }
    return 0;
}

// Standard input may be compressed: its plain bytes, from a process that can do nothing but that.
static int feed(int pipe_fd, struct err *err) {
    const struct plain_request request = {.input_fd = STDIN_FILENO, .length = UINT64_MAX, .is_pipe = true};
    struct plain_worker *worker = plain_worker_create(&request, err);
    if (!worker) {
        return -1;
    }
    const struct pieces pieces = plain_worker_pieces(worker);
    const uint8_t *data;
    size_t size = 1;
    int failed = 0;
    while (failed == 0 && size > 0) {
        failed = pieces.next(pieces.context, &data, &size, err);
        if (failed == 0 && fd_write_all(pipe_fd, data, size) < 0) {
            failed = err_sys(err, "write the tar");
        }
    }
    plain_worker_destroy(worker);
    return failed;
}

static int run(struct copying *copying, const struct copy_request *request, struct err *err) {
    struct err fed;
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int to_read = pair[0];
    AUTO_FD int to_write = pair[1];
    struct copy_task task = {.request = request, .from = &copying->from, .to = &copying->to, .input = to_read, .output = to_write};
    bool from_stream = copying->from.kind == COPY_STREAM, to_stream = copying->to.kind == COPY_STREAM;
    const struct aside_request take = {.work = copy_end_take, .context = &task, .close_fd = to_write};
    const struct aside_request send = {.work = copy_end_send, .context = &task, .keeps_output = to_stream, .close_fd = to_read};
    signal(SIGPIPE, SIG_IGN);
    if ((!to_stream && aside_start(&copying->taker, &take, err) < 0) ||
        (!from_stream && aside_start(&copying->sender, &send, err) < 0)) {
        return -1;
    }
    fd_close(&to_read);
    int sent = from_stream ? feed(to_write, &fed) : aside_wait(&copying->sender);
    fd_close(&to_write);
    int taken = to_stream ? 0 : aside_wait(&copying->taker);
    const struct err *sender_err = from_stream ? &fed : &copying->sender.report->err;
    return choose_error(sent < 0 ? sender_err : NULL, taken < 0 ? &copying->taker.report->err : NULL, err);
}

// One that does not run is mounted by whoever looks into it, and by nobody else.
static int check_pair(const struct copying *copying, struct err *err) {
    const struct files *files = &copying->from.files;
    char id[RECORD_ID_SIZE];
    if (copying->from.kind != COPY_CONTAINER || copying->to.kind != COPY_CONTAINER || files->pidfd >= 0) {
        return 0;
    }
    if (record_find(&files->target.home, copying->to.container, id, err) < 0) {
        return -1;
    }
    return strcmp(id, files->target.id) != 0 ? 0
                                            : err_set(err, ERR_UNSUPPORTED,
                                                      "copy within container %s: it does not run; start it, or copy by way of the host",
                                                      copying->to.container);
}

int engine_copy(const struct engine *engine, const struct copy_request *request, struct copy_result *ret, struct err *err) {
    AUTO(copying_finish) struct copying copying = {.from = COPY_END_NONE, .to = COPY_END_NONE};
    if (copy_end_parse(&copying.arena, request->from, request->cwd, &copying.from, err) < 0 ||
        copy_end_parse(&copying.arena, request->to, request->cwd, &copying.to, err) < 0) {
        return -1;
    }
    if (copying.from.kind != COPY_CONTAINER && copying.to.kind != COPY_CONTAINER) {
        return err_set(err, ERR_INPUT, "expected CONTAINER:PATH as source or destination, found \"%s\" and \"%s\"", request->from, request->to);
    }
    if (copy_end_open(&copying.from, engine, err) < 0 || check_pair(&copying, err) < 0 || copy_end_open(&copying.to, engine, err) < 0) {
        return -1;
    }
    if (run(&copying, request, err) < 0) {
        return err_in(err, "copy %s to %s", request->from, request->to);
    }
    ret->left_out = (copying.sender.report ? copying.sender.report->left_out : 0) + (copying.taker.report ? copying.taker.report->left_out : 0);
    return 0;
}
