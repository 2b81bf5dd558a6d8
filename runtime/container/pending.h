// pending: which containers a command that was killed may have left half made or half removed.
//
// Whoever makes or removes a container puts an empty file ID,PID into the folder .pending of the run-time root first, and takes it
// away last: for a `run` in the foreground, after the container's whole life. So the next command finds debris by looking at what is
// pending alone, and a start does not become slower with the number of containers. The name bears the process's number, so that
// nobody ever takes away another's. Internal to the room.
#ifndef COFFER_CONTAINER_PENDING_H
#define COFFER_CONTAINER_PENDING_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

enum { PENDING_NAME_SIZE = 256 + 16 };

// *name is empty before; on success it is what pending_drop() wants.
int pending_add(int root_fd, const char *id, char name[PENDING_NAME_SIZE], struct err *err) MUST_CHECK;
void pending_drop(int root_fd, char name[PENDING_NAME_SIZE]);

// Calls look(root, id) for each that is pending, whoever made it; then drops those whose process is gone, unless look says false: somebody
// else is still at work on the container.
void pending_each(const char *root, bool (*look)(const char *root, const char *id));

#endif
