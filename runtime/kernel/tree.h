// Removing, measuring and telling a directory tree whose contents belong to a stranger.
#ifndef COFFER_KERNEL_TREE_H
#define COFFER_KERNEL_TREE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

// Removes name below dir_fd with all that is in it. Links are removed, never followed; other file systems mounted below are an
// error, never emptied. A name that is not there is no error. Directories without permission for their owner are opened up first.
int tree_remove(int dir_fd, const char *name, struct err *err) MUST_CHECK;

// The same, but the first directories that are removed are kept open: what they are made of is freed when the graves are closed, or with
// this process, as late as that. Where the disk is told of each freed block at once (ext4's discard without a journal), that takes a
// millisecond a directory. NULL: none are kept.
struct tree_graves {
    int fds[32];
    size_t count;
};
int tree_remove_later(int dir_fd, const char *name, struct tree_graves *graves, struct err *err) MUST_CHECK;
void tree_graves_finish(struct tree_graves *graves);

// The bytes that name below dir_fd takes on the disk with all that is in it; what is linked from elsewhere too counts in part.
// Other file systems are not entered. What goes away meanwhile, or may not be read, does not count.
uint64_t tree_measure(int dir_fd, const char *name);

// Whether the open file lies in a file system that the kernel makes up (procfs, sysfs, cgroups, ...): to read such a tree has no end, and
// to write there changes the host.
bool tree_is_of_kernel(int fd);

#endif
