#include "runtime/engine/copy.h"

#include "images/plain_worker.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/engine/copy_end.h"
#include "runtime/kernel/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct copying {
    struct copy_end from, to;
    struct arena arena;
    struct copy_report *reports; // of both, in memory that all have
};

static void copying_finish(struct copying *copying) {
    copy_end_finish(&copying->from);
    copy_end_finish(&copying->to);
    arena_finish(&copying->arena);
    if (copying->reports) {
        munmap(copying->reports, 2 * sizeof(*copying->reports));
    }
}

// All three standard descriptors are the host's from before it enters a container, and lead nowhere but where the tar goes.
static int redirect(bool keeps_output) {
    AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0;
    return done && (keeps_output || dup2(null, STDOUT_FILENO) >= 0) ? 0 : -1;
}

static pid_t start(int (*work)(const struct copy_task *, struct copy_report *), const struct copy_task *task, struct copy_report *report,
                   int close_fd) {
    pid_t parent = getpid();
    pid_t child = process_clone(0, -1, NULL);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        fd_close(&close_fd);
        bool ready = getppid() == parent && redirect(work == copy_end_send && task->to->kind == COPY_STREAM) == 0;
        _exit(!ready || work(task, report) < 0 ? 1 : 0);
    }
    return child;
}

static int wait_for(pid_t child, struct copy_report *report) {
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0 && report->err.kind == ERR_NONE) {
        (void)!err_set(&report->err, ERR_SYSTEM, "a process of ours was killed");
    }
    return status == 0 ? 0 : -1;
}

// One fails because the other did: the reader for want of one who takes, the writer for want of an end.
static int choose_error(const struct copying *copying, int sent, int taken, struct err *err) {
    const struct err *from = &copying->reports[0].err, *to = &copying->reports[1].err;
    if (sent < 0 && from->errnum != EPIPE) {
        *err = *from;
    } else if (taken < 0) {
        *err = *to;
    } else if (sent < 0) {
        *err = *from;
    }
    return sent < 0 || taken < 0 ? -1 : 0;
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
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe");
    }
    AUTO_FD int to_read = pair[0];
    AUTO_FD int to_write = pair[1];
    const struct copy_task task = {.request = request, .from = &copying->from, .to = &copying->to, .input = to_read, .output = to_write};
    bool from_stream = copying->from.kind == COPY_STREAM, to_stream = copying->to.kind == COPY_STREAM;
    struct copy_report *reports = copying->reports;
    signal(SIGPIPE, SIG_IGN);
    pid_t taker = to_stream ? 0 : start(copy_end_take, &task, &reports[1], to_write);
    pid_t sender = from_stream || taker < 0 ? 0 : start(copy_end_send, &task, &reports[0], to_read);
    if (taker < 0 || sender < 0) {
        err_sys(&reports[0].err, "start a process");
    }
    fd_close(&to_read);
    int sent = from_stream && taker > 0 ? feed(to_write, &reports[0].err) : 0;
    fd_close(&to_write);
    sent = sender > 0 ? wait_for(sender, &reports[0]) : sender < 0 || taker < 0 ? -1 : sent;
    int taken = taker > 0 ? wait_for(taker, &reports[1]) : 0;
    return choose_error(copying, sent, taken, err);
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
    void *memory = mmap(NULL, 2 * sizeof(*copying.reports), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return err_sys(err, "get memory");
    }
    copying.reports = memory;
    if (run(&copying, request, err) < 0) {
        return err_in(err, "copy %s to %s", request->from, request->to);
    }
    ret->left_out = copying.reports[0].left_out + copying.reports[1].left_out;
    return 0;
}
