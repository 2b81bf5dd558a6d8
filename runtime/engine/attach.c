#include "runtime/engine/attach.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/foreground.h"
#include "runtime/engine/control.h"
#include "runtime/kernel/tty.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    TYPED_BYTES = 4096,  // read at once of a terminal; detach keys that turn out to be none may double it
    PIPED_BYTES = 16384, // of what is none
    WRITE_BYTES = 4096,  // what poll(2) promises of a pipe that can be written to; more could block us, and signals with us
};

struct attach {
    const struct attach_request *request;
    int signals_fd;
    int input;        // -1: no more
    size_t in_flight; // bytes of input that the monitor has not passed on yet
    size_t matched;   // of the detach keys
    struct attach_end end;
    bool ended;
    struct { // what is to be shown before the monitor is heard again
        int fd;
        size_t start, end;
        char data[CONTROL_MAX_BYTES];
    } shown;
};

static int say(const struct attach *attach, const struct control_message *message, struct err *err) {
    if (control_send(attach->request->socket, message) == 0) {
        return 0;
    }
    // Its last word may be waiting: that counts.
    return errno == EPIPE || errno == ECONNRESET ? 0 : err_sys(err, "talk to the container's monitor");
}

static int say_size(const struct attach *attach, struct err *err) {
    struct winsize size;
    if (!attach->request->tty || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) {
        return 0;
    }
    return say(attach, &(struct control_message){.kind = CONTROL_RESIZE, .value = size.ws_col, .extra = size.ws_row}, err);
}

static int take_error(const struct control_message *message, struct err *err) {
    if (message->size != sizeof(*err)) {
        return err_set(err, ERR_STATE, "the container's monitor speaks another language");
    }
    memcpy(err, message->bytes, sizeof(*err));
    err->text[sizeof(err->text) - 1] = '\0';
    return -1;
}

static int gone(struct err *err) {
    return err_set(err, ERR_STATE, "the container's monitor has ended; see `coffer ps -a`");
}

// Who is attached later is dropped where he does not read.
static int left_behind(const struct attach *attach, struct err *err) {
    return attach->request->tell ? err_set(err, ERR_STATE, "the container's monitor has closed the line: its output was not read for too "
                                                           "long (`coffer logs` has it), or the monitor was killed")
                                 : gone(err);
}

static int take_message(struct attach *attach, const struct control_message *message, struct err *err) {
    switch (message->kind) {
    case CONTROL_OUTPUT:
        attach->shown.fd = message->value == STDERR_FILENO ? STDERR_FILENO : STDOUT_FILENO;
        attach->shown.start = 0;
        attach->shown.end = (attach->shown.fd == STDERR_FILENO ? attach->request->hide_errors : attach->request->hide_output) ? 0 : message->size;
        return 0;
    case CONTROL_TAKEN:
        attach->in_flight -= (size_t)message->value < attach->in_flight ? (size_t)message->value : attach->in_flight;
        return 0;
    case CONTROL_ENDED:
        attach->end.status = (int)message->value;
        attach->end.is_restarted = message->extra != 0;
        snprintf(attach->end.why, sizeof(attach->end.why), "%.*s", (int)message->size, (const char *)message->bytes);
        attach->ended = true;
        return 0;
    case CONTROL_FAILED:
        return take_error(message, err);
    default:
        return 0;
    }
}

// What is to be shown is received where it waits to be.
static int hear(struct attach *attach, struct err *err) {
    struct control_message message;
    int got = control_receive(attach->request->socket, attach->shown.data, &message);
    return got < 0 ? err_sys(err, "hear the container's monitor") : got == 0 ? left_behind(attach, err) : take_message(attach, &message, err);
}

static void show(struct attach *attach) {
    size_t size = attach->shown.end - attach->shown.start;
    ssize_t written = write(attach->shown.fd, attach->shown.data + attach->shown.start, size < WRITE_BYTES ? size : WRITE_BYTES);
    if (written >= 0) {
        attach->shown.start += (size_t)written;
    } else if (errno != EAGAIN && errno != EINTR) {
        attach->shown.start = attach->shown.end; // who reads us is gone; the container goes on
    }
}

static int pass_input(struct attach *attach, const void *bytes, size_t size, struct err *err) {
    attach->in_flight += size;
    return say(attach, &(struct control_message){.kind = CONTROL_INPUT, .size = (uint32_t)size, .bytes = bytes}, err);
}

// Whether the keys are complete with these bytes. What belongs to them is held back, and given when it turns out to be something
// else.
static int pass_typed(struct attach *attach, const char *bytes, size_t size, struct err *err) {
    const char *keys = attach->request->detach_keys;
    char out[2 * TYPED_BYTES];
    size_t filled = 0, length = strlen(keys);
    for (size_t i = 0; i < size && !attach->end.detached; i++) {
        if (length > 0 && bytes[i] == keys[attach->matched]) {
            attach->end.detached = ++attach->matched == length;
            continue;
        }
        memcpy(out + filled, keys, attach->matched);
        filled += attach->matched;
        attach->matched = length > 0 && bytes[i] == keys[0] ? 1 : 0;
        if (attach->matched == 0) {
            out[filled++] = bytes[i];
        }
        attach->end.detached = attach->matched > 0 && attach->matched == length;
    }
    attach->ended = attach->end.detached;
    return filled == 0 ? 0 : pass_input(attach, out, filled, err);
}

static int read_input(struct attach *attach, struct err *err) {
    char room[PIPED_BYTES];
    bool typed = attach->request->tty;
    ssize_t got = read(attach->input, room, typed ? TYPED_BYTES - ATTACH_MAX_KEYS : sizeof(room));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got > 0) {
        return typed ? pass_typed(attach, room, (size_t)got, err) : pass_input(attach, room, (size_t)got, err);
    }
    attach->input = -1;
    return say(attach, &(struct control_message){.kind = CONTROL_INPUT_END}, err);
}

// What shall not be passed on is for us: it ends this command, and the container goes on.
static void take_signal(struct attach *attach, int number) {
    if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT) {
        attach->end.detached = attach->ended = true;
    }
}

static int pass_signal(struct attach *attach, int number, struct err *err) {
    if (number == SIGWINCH) {
        return say_size(attach, err);
    }
    // Those are about our own descriptors and children.
    if (number == SIGPIPE || number == SIGURG || number == SIGCHLD) {
        return 0;
    }
    if (!attach->request->pass_signals) {
        take_signal(attach, number);
        return 0;
    }
    return say(attach, &(struct control_message){.kind = CONTROL_SIGNAL, .value = number}, err);
}

static int read_signals(struct attach *attach, struct err *err) {
    struct signalfd_siginfo info;
    while (read(attach->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (pass_signal(attach, (int)info.ssi_signo, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// The monitor is not heard while something waits to be shown, and input is not read while it has enough of it: neither side ever waits
// in a call for the other.
static int serve(struct attach *attach, struct err *err) {
    while (!attach->ended) {
        bool shows = attach->shown.start < attach->shown.end;
        bool reads = attach->in_flight + PIPED_BYTES <= CONTROL_MAX_INPUT;
        struct pollfd polls[] = {
            {.fd = shows ? attach->shown.fd : attach->request->socket, .events = shows ? POLLOUT : POLLIN},
            {.fd = attach->signals_fd, .events = POLLIN},
            {.fd = reads ? attach->input : -1, .events = POLLIN},
        };
        if (poll(polls, ARRAY_LEN(polls), -1) < 0 && errno != EINTR) {
            return err_sys(err, "wait for the container");
        }
        if ((polls[1].revents && read_signals(attach, err) < 0) || (polls[2].revents && read_input(attach, err) < 0)) {
            return -1;
        }
        if (polls[0].revents && !attach->ended) {
            if (shows) {
                show(attach);
            } else if (hear(attach, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int with_terminal(struct attach *attach, struct err *err) {
    AUTO_TTY struct tty tty = {.fd = -1};
    const struct attach_request *request = attach->request;
    if (request->tty && request->input && tty_make_raw(&tty, STDIN_FILENO, err) < 0) {
        return -1;
    }
    if (request->tell && say(attach, &(struct control_message){.kind = CONTROL_ATTACH, .value = request->flags}, err) < 0) {
        return -1;
    }
    return say_size(attach, err) < 0 ? -1 : serve(attach, err);
}

int attach_run(const struct attach_request *request, struct attach_end *ret, struct err *err) {
    struct attach attach = {.request = request, .input = request->input ? STDIN_FILENO : -1, .signals_fd = -1};
    sigset_t before, all;
    if (foreground_block(&before, err) < 0) {
        return -1;
    }
    sigprocmask(SIG_BLOCK, NULL, &all);
    AUTO_FD int signals_fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
    attach.signals_fd = signals_fd;
    int result = signals_fd < 0 ? err_sys(err, "listen to signals") : with_terminal(&attach, err);
    foreground_unblock(&before);
    *ret = attach.end;
    return result;
}

int attach_wait_started(int socket, struct err *err) {
    char room[CONTROL_MAX_BYTES];
    struct control_message message;
    int got = control_receive(socket, room, &message);
    if (got <= 0) {
        return got < 0 ? err_sys(err, "hear the container's monitor") : gone(err);
    }
    return message.kind == CONTROL_FAILED ? take_error(&message, err) : 0;
}

int attach_parse_keys(const char *text, char *ret, size_t size, struct err *err) {
    size_t count = 0;
    for (const char *at = text; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t length = strcspn(at, ",");
        int byte = -1;
        if (length == 1) {
            byte = (unsigned char)*at;
        } else if (length == 6 && strncmp(at, "ctrl-", 5) == 0 && strchr("@[\\]^_", at[5])) {
            byte = at[5] & 0x1f;
        } else if (length == 6 && strncmp(at, "ctrl-", 5) == 0 && at[5] >= 'a' && at[5] <= 'z') {
            byte = at[5] - 'a' + 1;
        }
        if (byte <= 0 || count + 1 >= size) {
            return err_set(err, ERR_INPUT, "--detach-keys: expected keys such as ctrl-p,ctrl-q, found \"%s\"", text);
        }
        ret[count++] = (char)byte;
    }
    ret[count] = '\0';
    return 0;
}
