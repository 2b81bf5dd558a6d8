#include "runtime/engine/stdio.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <fcntl.h>
#include <unistd.h>

void stdio_finish(struct stdio *stdio) {
    for (int i = 0; i < 3; i++) {
        fd_close(&stdio->theirs[i]);
        fd_close(&stdio->ours[i]);
    }
}

static int open_pipe(struct stdio *stdio, int number, struct err *err) {
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return err_sys(err, "make a pipe for descriptor %d", number);
    }
    bool reads = number == STDIN_FILENO;
    stdio->theirs[number] = pipes[reads ? 0 : 1];
    stdio->ours[number] = pipes[reads ? 1 : 0];
    return 0;
}

int stdio_open(struct stdio *stdio, bool interactive, struct err *err) {
    for (int i = interactive ? STDIN_FILENO : STDOUT_FILENO; i <= STDERR_FILENO; i++) {
        if (isatty(i) && open_pipe(stdio, i, err) < 0) {
            return -1;
        }
    }
    if (!interactive) {
        stdio->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (stdio->theirs[0] < 0) {
            return err_sys(err, "open /dev/null");
        }
    }
    return 0;
}
