// Waiting for `start` in as little memory as can be: a host may have thousands of containers that wait.
#ifndef COFFER_CONTAINER_INIT_WAIT_H
#define COFFER_CONTAINER_INIT_WAIT_H

#include "runtime/base/attr.h"

// accept4(2) through interruptions, close-on-exec. Before, all pages of the program are unmapped but those that were written to and the
// one that waits, and so is what is left of the stack below the caller; they come back as they are touched. -1 with errno.
int wait_small(int listener) MUST_CHECK;

#endif
