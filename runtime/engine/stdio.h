// What a container without a terminal of its own gets as its standard descriptors.
//
// Theory of operation. A descriptor of the user's terminal is authority over it: its settings can be changed through it, and on some
// kernels more (TIOCSTI, TIOCLINUX). So a container never gets one: where ours is a terminal it gets a pipe, whose other end we carry.
// Files and pipes are handed in as they are, which costs nothing.
#ifndef COFFER_ENGINE_STDIO_H
#define COFFER_ENGINE_STDIO_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

struct stdio {
    int theirs[3]; // for the container, -1: ours
    int ours[3];   // the other ends of pipes, -1 for none
};

// Fills the struct, all of whose descriptors are -1. Without `interactive` the input is /dev/null.
int stdio_open(struct stdio *stdio, bool interactive, struct err *err) MUST_CHECK;
void stdio_finish(struct stdio *stdio);

#endif
