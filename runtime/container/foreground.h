// foreground: the caller stays with the container until it ends, passes signals on, and carries bytes between its own standard
// descriptors and the container's terminal or pipes.
#ifndef COFFER_CONTAINER_FOREGROUND_H
#define COFFER_CONTAINER_FOREGROUND_H

#include "runtime/base/attr.h"

#include <signal.h>
#include <stdbool.h>

struct err;
struct notify;

struct foreground {
    int pidfd;    // of the container's init, our child
    int console;  // the pty's master, -1 without a terminal
    int input;    // what is typed: copied to the console; -1: nothing
    int output;   // where the console is shown
    int pipes[3]; // our ends of pipes that stand for the container's standard descriptors, -1 for none; [0] is taken: closed at
                  // the end of our input
    struct notify *notify; // whose word that it is ready is passed on; NULL for none
    bool pass_signals;
    char *ret_name; // PROCESS_NAME_SIZE bytes: the name that it had when it ended; NULL: nobody asks
    pid_t pid;      // for that
};

// Blocks the signals that foreground_wait() reads, so that none is lost between the clone and the wait. *ret_before is to be given
// to foreground_unblock() when all is over.
int foreground_block(sigset_t *ret_before, struct err *err) MUST_CHECK;
void foreground_unblock(const sigset_t *before);

// Waits for the end and reaps it. *ret_status: the exit code, or 128 + the signal that killed it.
int foreground_wait(struct foreground *foreground, int *ret_status, struct err *err) MUST_CHECK;

#endif
