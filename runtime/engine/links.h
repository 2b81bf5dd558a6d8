// Symbolic links whose text is the id of the container they belong to: a name, a range of user ids. Made in one system call, they
// are never half there.
//
// The 64 digits are written as 43 letters, two for three of them: a link with less than 60 takes no block of its own on ext4, with
// more it takes 4 KiB.
#ifndef COFFER_ENGINE_LINKS_H
#define COFFER_ENGINE_LINKS_H

#include "runtime/base/attr.h"
#include "runtime/engine/record.h"

#include <stdbool.h>

// -1 with errno: EEXIST when the name is taken.
int links_make(int dir_fd, const char *name, const char *container) MUST_CHECK;

// Whose it is; false: there is no such link.
bool links_read(int dir_fd, const char *name, char ret_container[RECORD_ID_SIZE]) MUST_CHECK;

// Removes it if it is the container's.
void links_release(int dir_fd, const char *name, const char *container);

// Removes all links of the directory that belong to the container.
void links_remove(int dir_fd, const char *container);

#endif
