#include "runtime/container/foreground.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/notify.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tty.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
    COPY_BYTES = 16384,
    WRITE_BYTES = 4096, // what poll(2) promises of a pipe that can be written to; more could block us, and signals with us
    MAX_STREAMS = 5,
    DRAIN_MS = 2000, // for what an ended container's pipes still hold; a process outside its pid namespace may keep them open
};

// One direction: what was read and is not written yet.
struct stream {
    int from;          // -1 once it has ended
    int to;            // -1 once nobody takes it any more: what comes is dropped, so that the container is not held up
    int *close_at_end; // the reader is to see the end too
    bool to_container;
    size_t start, end;
    char *data; // COPY_BYTES, owned by the session
};

struct session {
    struct foreground *foreground;
    int signals;
    size_t count;
    struct stream streams[MAX_STREAMS];
};

int foreground_block(sigset_t *ret_before, struct err *err) {
    sigset_t all;
    sigfillset(&all);
    // Faults of our own must still end us.
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        sigdelset(&all, faults[i]);
    }
    return sigprocmask(SIG_BLOCK, &all, ret_before) < 0 ? err_sys(err, "block signals") : 0;
}

void foreground_unblock(const sigset_t *before) {
    sigprocmask(SIG_SETMASK, before, NULL);
}

static void pass_signal(const struct session *session, int number) {
    const struct foreground *foreground = session->foreground;
    if (number == SIGWINCH) {
        if (foreground->console >= 0) {
            tty_copy_size(foreground->output, foreground->console);
        }
        return;
    }
    // These two are about our own descriptors.
    if (number == SIGPIPE || number == SIGURG || !foreground->pass_signals) {
        return;
    }
    sys_pidfd_send_signal(foreground->pidfd, number);
}

static void read_signals(const struct session *session) {
    struct signalfd_siginfo info[16];
    ssize_t got = read(session->signals, info, sizeof(info));
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(info[0]); i++) {
        pass_signal(session, (int)info[i].ssi_signo);
    }
}

static bool is_empty(const struct stream *stream) {
    return stream->start == stream->end;
}

static void end_input(struct stream *stream) {
    stream->from = -1;
    if (stream->close_at_end) {
        fd_close(stream->close_at_end);
        stream->to = -1;
    }
}

// Reads into an empty stream. The end of a pty's other side is EIO.
static void fill(struct stream *stream) {
    ssize_t got = read(stream->from, stream->data, COPY_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    stream->start = 0;
    stream->end = got > 0 && stream->to >= 0 ? (size_t)got : 0;
    if (got <= 0) {
        end_input(stream);
    }
}

static void drain(struct stream *stream) {
    size_t size = stream->end - stream->start;
    ssize_t written = write(stream->to, stream->data + stream->start, size < WRITE_BYTES ? size : WRITE_BYTES);
    if (written >= 0) {
        stream->start += (size_t)written;
    } else if (errno != EAGAIN && errno != EINTR) {
        stream->start = stream->end = 0;
        stream->to = -1;
        if (stream->to_container) {
            stream->from = -1; // nobody reads what is typed; what is left of it is the caller's
        }
    }
}

static void move_bytes(struct session *session, const struct pollfd *waits) {
    for (size_t i = 0; i < session->count; i++) {
        struct stream *stream = &session->streams[i];
        if (waits[i].revents == 0) {
            continue;
        }
        if (is_empty(stream)) {
            fill(stream);
        } else {
            drain(stream);
        }
    }
}

static struct pollfd wait_of(const struct stream *stream) {
    struct pollfd wait = {.fd = stream->from, .events = POLLIN};
    if (!is_empty(stream)) {
        wait.fd = stream->to;
        wait.events = POLLOUT;
    }
    return wait;
}

// What the container's terminal and pipes still hold when it has ended is shown, up to their end: there is nobody left to write
// more, but where processes outside share them.
static void show_rest(struct session *session) {
    for (;;) {
        struct pollfd waits[MAX_STREAMS];
        bool open = false;
        for (size_t i = 0; i < session->count; i++) {
            waits[i] = wait_of(&session->streams[i]);
            if (session->streams[i].to_container) {
                waits[i].fd = -1;
            }
            open = open || waits[i].fd >= 0;
        }
        if (!open || poll(waits, session->count, DRAIN_MS) <= 0) {
            return;
        }
        move_bytes(session, waits);
    }
}

static int pump(struct session *session, struct err *err) {
    for (;;) {
        struct foreground *foreground = session->foreground;
        struct pollfd waits[MAX_STREAMS + 3];
        for (size_t i = 0; i < session->count; i++) {
            waits[i] = wait_of(&session->streams[i]);
        }
        struct pollfd *process = &waits[session->count], *signals = process + 1, *notify = process + 2;
        *process = (struct pollfd){.fd = session->foreground->pidfd, .events = POLLIN};
        *signals = (struct pollfd){.fd = session->signals, .events = POLLIN};
        *notify = (struct pollfd){.fd = foreground->notify ? foreground->notify->socket : -1, .events = POLLIN};
        if (poll(waits, session->count + 3, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_sys(err, "wait for the container");
        }
        if (signals->revents) {
            read_signals(session);
        }
        if (notify->revents && notify_read(foreground->notify, 0)) {
            notify_finish(foreground->notify); // once is enough
        }
        move_bytes(session, waits);
        if (process->revents) {
            show_rest(session);
            return 0;
        }
    }
}

static void session_finish(struct session *session) {
    for (size_t i = 0; i < session->count; i++) {
        free(session->streams[i].data);
    }
    session->count = 0;
}

static void add_stream(struct session *session, int from, int to, bool to_container, int *close_at_end) {
    if (from < 0 || to < 0) {
        return;
    }
    struct stream *stream = &session->streams[session->count++];
    stream->from = from;
    stream->to = to;
    stream->to_container = to_container;
    stream->close_at_end = close_at_end;
    stream->start = stream->end = 0;
    stream->data = mem_alloc(COPY_BYTES);
}

int foreground_wait(struct foreground *foreground, int *ret_status, struct err *err) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGCHLD); // its end is read from its pidfd
    AUTO_FD int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        return err_sys(err, "listen to signals");
    }
    // Without a terminal or pipes the container has our descriptors itself: a byte read here would be lost to it.
    AUTO(session_finish) struct session session = {.foreground = foreground, .signals = signals};
    add_stream(&session, foreground->console >= 0 ? foreground->input : -1, foreground->console, true, NULL);
    add_stream(&session, foreground->console, foreground->output, false, NULL);
    add_stream(&session, STDIN_FILENO, foreground->pipes[0], true, &foreground->pipes[0]);
    add_stream(&session, foreground->pipes[1], STDOUT_FILENO, false, NULL);
    add_stream(&session, foreground->pipes[2], STDERR_FILENO, false, NULL);
    AUTO_TTY struct tty tty = {.fd = -1};
    if (foreground->console >= 0) {
        tty_copy_size(foreground->output, foreground->console);
        if (foreground->input >= 0 && tty_make_raw(&tty, foreground->input, err) < 0) {
            return -1;
        }
    }
    if (pump(&session, err) < 0) {
        return -1;
    }
    if (foreground->ret_name && process_name(foreground->pid, foreground->ret_name) < 0) {
        foreground->ret_name[0] = '\0';
    }
    siginfo_t end = {0};
    while (waitid(P_PIDFD, (id_t)foreground->pidfd, &end, WEXITED) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "wait for the container");
        }
    }
    *ret_status = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
    return 0;
}
