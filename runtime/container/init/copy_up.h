// tmpcopyup: what a directory of the image holds is copied into the new tmpfs that hides it.
#ifndef COFFER_CONTAINER_INIT_COPY_UP_H
#define COFFER_CONTAINER_INIT_COPY_UP_H

#include "runtime/base/attr.h"

struct err;

// Copies files, directories and symbolic links with owners, modes and times; devices and sockets are left out. Links are never
// followed. Both descriptors are directories, borrowed.
int copy_up_into(int from_fd, int to_fd, struct err *err) MUST_CHECK;

#endif
