// The user's terminal while a container's terminal is shown on it: raw, and back to what it was on every way out (termios(3)).
#ifndef COFFER_KERNEL_TTY_H
#define COFFER_KERNEL_TTY_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <termios.h>

struct err;

struct tty {
    int fd; // borrowed
    bool raw;
    struct termios before;
};

// Turns a terminal raw and remembers how it was. A descriptor that is no terminal is left alone, without an error.
int tty_make_raw(struct tty *tty, int fd, struct err *err) MUST_CHECK;
void tty_restore(struct tty *tty);
#define AUTO_TTY AUTO(tty_restore)

// Gives the pty behind `to` the size of the terminal `from`; nothing happens when `from` is no terminal.
void tty_copy_size(int from, int to);

#endif
