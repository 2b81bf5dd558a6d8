// A program carried as bytes, as a file in memory that nobody can change, to be executed by execveat(2) (memfd_create(2)).
#ifndef COFFER_KERNEL_SEALED_H
#define COFFER_KERNEL_SEALED_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <sys/types.h>

struct err;

// What the program is given.
struct sealed_ends {
    const int *fds; // borrowed
    size_t count;
    const char *const *environment; // "NAME=VALUE", NULL behind the last; NULL: none
};

// Returns the sealed descriptor. name is what /proc shows.
int sealed_program(const char *name, const void *image, size_t size, struct err *err) MUST_CHECK;

enum { SEALED_FIRST_FD = 3, SEALED_MAX_FDS = 8, SEALED_NOT_STARTED = 127 };

// Starts such a program as a helper of ours: with these descriptors as 3, 4 and so on, and these variables (NULL: none); it is
// killed when our thread ends. All our other descriptors must be close-on-exec, and we must have no threads. Returns the pid, whose
// pidfd is the caller's. One that could not be executed ends with the code SEALED_NOT_STARTED.
pid_t sealed_start(const char *name, const void *image, size_t size, const struct sealed_ends *ends, int *ret_pidfd,
                   struct err *err) MUST_CHECK;

#endif
