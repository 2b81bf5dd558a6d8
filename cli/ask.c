#include "cli/ask.h"

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

// What would end or stop us is taken in by a descriptor while the terminal does not show what is typed.
struct quiet {
    int signal_fd;
    bool hidden;
    struct termios before;
    sigset_t mask_before;
};

bool ask_possible(void) {
    return isatty(STDIN_FILENO);
}

static void quiet_end(struct quiet *quiet) {
    if (quiet->hidden) {
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet->before);
        quiet->hidden = false;
    }
    if (quiet->signal_fd >= 0) {
        fd_close(&quiet->signal_fd);
        sigprocmask(SIG_SETMASK, &quiet->mask_before, NULL);
    }
}

static int quiet_begin(struct quiet *quiet, struct err *err) {
    static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
    sigset_t caught;
    sigemptyset(&caught);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        sigaddset(&caught, signals[i]);
    }
    if (sigprocmask(SIG_BLOCK, &caught, &quiet->mask_before) < 0) {
        return err_sys(err, "hold signals back");
    }
    quiet->signal_fd = signalfd(-1, &caught, SFD_CLOEXEC);
    if (quiet->signal_fd < 0) {
        sigprocmask(SIG_SETMASK, &quiet->mask_before, NULL);
        return err_sys(err, "make a descriptor for signals");
    }
    if (tcgetattr(STDIN_FILENO, &quiet->before) < 0) {
        return err_sys(err, "look at the terminal");
    }
    struct termios silent = quiet->before;
    silent.c_lflag = (silent.c_lflag & ~(tcflag_t)ECHO) | ICANON | ECHONL | ISIG;
    quiet->hidden = true;
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0 ? err_sys(err, "keep the terminal from showing what is typed") : 0;
}

static int say(const char *text, struct err *err) {
    return fd_write_all(STDERR_FILENO, text, strlen(text)) < 0 ? err_sys(err, "write to standard error") : 0;
}

// 1: there is input, 0: a signal has come and was obeyed, after which we go on.
static int wait_for_input(struct quiet *quiet, struct err *err) {
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = quiet->signal_fd, .events = POLLIN}};
    while (poll(waits, ARRAY_LEN(waits), -1) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "wait for an answer");
        }
    }
    struct signalfd_siginfo signal;
    if (!(waits[1].revents & POLLIN) || read(quiet->signal_fd, &signal, sizeof(signal)) != sizeof(signal)) {
        return 1;
    }
    quiet_end(quiet); // the terminal is the user's again before we end or stop
    if (say("\n", err) < 0) {
        return -1;
    }
    raise((int)signal.ssi_signo);
    return 0;
}

int ask_line(const char *question, bool hidden, char *answer, size_t size, struct err *err) {
    AUTO(quiet_end) struct quiet quiet = {.signal_fd = -1};
    for (;;) {
        if ((hidden && quiet_begin(&quiet, err) < 0) || say(question, err) < 0) {
            return -1;
        }
        int ready = hidden ? wait_for_input(&quiet, err) : 1;
        if (ready < 0) {
            return -1;
        }
        if (ready > 0) {
            break;
        }
    }
    ssize_t got;
    do {
        got = read(STDIN_FILENO, answer, size - 1);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_sys(err, "read the answer");
    }
    answer[got] = '\0';
    if (got == 0) {
        return err_set(err, ERR_INPUT, "nothing was answered to \"%.*s\"", (int)strcspn(question, ":"), question);
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return 0;
}

int ask_confirm(bool forced, const char *what, bool *ret_yes, struct err *err) {
    AUTO_BUF struct buf question = {0};
    char answer[16] = "";
    *ret_yes = forced;
    if (forced) {
        return 0;
    }
    if (!ask_possible()) {
        return err_set(err, ERR_INPUT, "standard input is no terminal to ask on; use --force");
    }
    buf_add_format(&question, "%s\nAre you sure? [y/N] ", what);
    if (ask_line(buf_string(&question), false, answer, sizeof(answer), err) < 0) {
        return -1;
    }
    *ret_yes = answer[0] == 'y' || answer[0] == 'Y';
    return 0;
}
