// A program carried as bytes, as a file in memory that nobody can change, to be executed by execveat(2) (memfd_create(2)).
#ifndef COFFER_KERNEL_SEALED_H
#define COFFER_KERNEL_SEALED_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct err;

// Returns the sealed descriptor. name is what /proc shows.
int sealed_program(const char *name, const void *image, size_t size, struct err *err) MUST_CHECK;

#endif
