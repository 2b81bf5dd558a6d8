// The control files of cgroups: small texts read and written whole. Shared by the cgroup_*.c files only.
//
// Unlike fd_write_file() and fd_read_file() these give no message but errno: what a missing file or a refused value means is known
// to the caller alone.
#ifndef COFFER_KERNEL_CGROUP_FILE_H
#define COFFER_KERNEL_CGROUP_FILE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_TEXT_SIZE = 4096 };

// Opens path below the directory, never leaving it and following no link. -1 with errno.
int cgroup_open_below(int dir_fd, const char *path, int flags) MUST_CHECK;

// Removes a group and its parents, so many in all, up to one that is not empty. The path is cut short by it.
void cgroup_remove_upward(int host_fd, char *path, long levels);

// Writes the text in one write(2). -1 with errno.
int cgroup_write_text(int dir_fd, const char *file, const char *text) MUST_CHECK;

// Reads a file of less than CGROUP_TEXT_SIZE bytes; a last newline is cut off. -1 with errno.
int cgroup_read_text(int dir_fd, const char *file, char room[CGROUP_TEXT_SIZE]) MUST_CHECK;

// Reads a file that holds one number; "max" is UINT64_MAX, and so is what cannot be read.
uint64_t cgroup_read_number(int dir_fd, const char *file);

// The number behind "key " at the beginning of a line of text; UINT64_MAX when there is none.
uint64_t cgroup_find_number(const char *text, const char *key);


#endif
