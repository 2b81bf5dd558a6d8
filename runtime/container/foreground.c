#include "runtime/container/foreground.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tty.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { COPY_BYTES = 16384 };

// One direction of the terminal: what was read and is not written yet.
struct copy {
    char data[COPY_BYTES];
    size_t start, end;
};

struct session {
    const struct foreground *foreground;
    int signals;
    int input;   // -1 once it has ended
    int console; // -1 once it has ended
    struct copy typed, shown;
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
        if (session->console >= 0) {
            tty_copy_size(foreground->output, session->console);
        }
        return;
    }
    // SIGCHLD is about us, SIGPIPE and SIGURG about our descriptors.
    if (number == SIGCHLD || number == SIGPIPE || number == SIGURG || !foreground->pass_signals) {
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

// Reads into an empty copy. False at the end of the source.
static bool fill(struct copy *copy, int from) {
    ssize_t got = read(from, copy->data, sizeof(copy->data));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    copy->start = 0;
    copy->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

// Writes what is there. False when the target is gone.
static bool drain(struct copy *copy, int to) {
    ssize_t written = write(to, copy->data + copy->start, copy->end - copy->start);
    if (written < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    copy->start += (size_t)written;
    return true;
}

static bool empty(const struct copy *copy) {
    return copy->start == copy->end;
}

static void end_console(struct session *session) {
    session->console = -1;
    session->input = -1;
}

static void move_bytes(struct session *session, const struct pollfd *console, const struct pollfd *input, const struct pollfd *output) {
    if (session->console >= 0 && empty(&session->shown) && (console->revents & (POLLIN | POLLHUP | POLLERR)) &&
        !fill(&session->shown, session->console)) {
        end_console(session);
    }
    if (!empty(&session->shown) && (output->revents & (POLLOUT | POLLERR | POLLHUP)) &&
        !drain(&session->shown, session->foreground->output)) {
        session->shown.start = session->shown.end = 0; // nobody looks any more; the container goes on
    }
    if (session->input >= 0 && empty(&session->typed) && (input->revents & (POLLIN | POLLHUP | POLLERR)) &&
        !fill(&session->typed, session->input)) {
        session->input = -1;
    }
    if (session->console >= 0 && !empty(&session->typed) && (console->revents & POLLOUT) &&
        !drain(&session->typed, session->console)) {
        end_console(session);
    }
}

// What the terminal still holds when the container has ended is shown, up to the first look at which nothing is there.
static void show_rest(struct session *session) {
    while (session->console >= 0) {
        if (empty(&session->shown)) {
            struct pollfd wait = {.fd = session->console, .events = POLLIN};
            if (poll(&wait, 1, 0) <= 0 || !(wait.revents & POLLIN) || !fill(&session->shown, session->console)) {
                return;
            }
        }
        if (fd_write_all(session->foreground->output, session->shown.data + session->shown.start,
                         session->shown.end - session->shown.start) < 0) {
            return;
        }
        session->shown.start = session->shown.end = 0;
    }
}

static int pump(struct session *session, struct err *err) {
    for (;;) {
        bool room = empty(&session->typed), pending = !empty(&session->shown);
        struct pollfd waits[] = {
            {.fd = session->foreground->pidfd, .events = POLLIN},
            {.fd = session->signals, .events = POLLIN},
            {.fd = session->console, .events = (short)((pending ? 0 : POLLIN) | (room ? 0 : POLLOUT))},
            {.fd = room ? session->input : -1, .events = POLLIN},
            {.fd = pending ? session->foreground->output : -1, .events = POLLOUT},
        };
        if (poll(waits, ARRAY_LEN(waits), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_sys(err, "wait for the container");
        }
        if (waits[1].revents) {
            read_signals(session);
        }
        move_bytes(session, &waits[2], &waits[3], &waits[4]);
        if (waits[0].revents) {
            show_rest(session);
            return 0;
        }
    }
}

int foreground_wait(const struct foreground *foreground, int *ret_status, struct err *err) {
    sigset_t all;
    sigfillset(&all);
    AUTO_FD int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        return err_sys(err, "listen to signals");
    }
    // Without a terminal the container reads our input itself: a byte taken here would be lost to it.
    struct session session = {.foreground = foreground,
                              .signals = signals,
                              .input = foreground->console >= 0 ? foreground->input : -1,
                              .console = foreground->console};
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
    siginfo_t end = {0};
    while (waitid(P_PIDFD, (id_t)foreground->pidfd, &end, WEXITED) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "wait for the container");
        }
    }
    *ret_status = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
    return 0;
}
