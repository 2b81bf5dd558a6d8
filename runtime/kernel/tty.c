#include "runtime/kernel/tty.h"

#include "runtime/base/err.h"

#include <sys/ioctl.h>
#include <unistd.h>

int tty_make_raw(struct tty *tty, int fd, struct err *err) {
    *tty = (struct tty){.fd = fd};
    if (!isatty(fd)) {
        return 0;
    }
    if (tcgetattr(fd, &tty->before) < 0) {
        return err_sys(err, "read the terminal's settings");
    }
    struct termios raw = tty->before;
    cfmakeraw(&raw);
    // Output processing stays off too: the container's pty has done it already.
    if (tcsetattr(fd, TCSADRAIN, &raw) < 0) {
        return err_sys(err, "make the terminal raw");
    }
    tty->raw = true;
    return 0;
}

void tty_restore(struct tty *tty) {
    if (tty->raw) {
        tcsetattr(tty->fd, TCSADRAIN, &tty->before);
        tty->raw = false;
    }
}

void tty_copy_size(int from, int to) {
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) == 0 && (size.ws_row || size.ws_col)) {
        ioctl(to, TIOCSWINSZ, &size);
    }
}
