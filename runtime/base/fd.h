// Sole ownership of file descriptors, and whole reads and writes on them.
//
// A descriptor is -1 or open. Declare it `AUTO_FD int fd = -1;`, give it away with fd_take(). A descriptor passed to a function is
// borrowed unless the parameter's name begins with give_; one that is returned is the caller's. All are close-on-exec.
#ifndef COFFER_BASE_FD_H
#define COFFER_BASE_FD_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;
struct err;

void fd_cleanup(int *fd);
#define AUTO_FD AUTO(fd_cleanup)

// Closes *fd if it is open and sets it to -1. errno is kept.
void fd_close(int *fd);

// Returns *fd and sets it to -1: the caller now owns it.
int fd_take(int *fd);

// Writes all of it, through interruptions and short writes. -1 with errno set.
int fd_write_all(int fd, const void *data, size_t size) MUST_CHECK;

// Reads until size bytes or end of file. Returns the bytes read, -1 with errno set.
ssize_t fd_read_full(int fd, void *data, size_t size) MUST_CHECK;

// Reads the rest of fd into *ret_data (malloc'd, the caller's, with a NUL behind it that does not count in *ret_size).
// More than max_bytes is an error. `what` names the file in the error's text.
int fd_read_rest(int fd, size_t max_bytes, const char *what, char **ret_data, size_t *ret_size, struct err *err) MUST_CHECK;

// Opens the path below dir_fd (AT_FDCWD allowed) and reads all of it as above. For trusted paths only: the kernel's and our own
// state's; what a container, image or bundle can name goes through root_open().
int fd_read_file(int dir_fd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size, struct err *err) MUST_CHECK;

// The same of a file into an arena, with a NUL behind it; returns its size. With O_NONBLOCK in `flags` only a regular file will do: a
// pipe, whose writer might never come, is an error then.
ssize_t fd_read_file_into(struct arena *arena, const char *path, int flags, size_t max_bytes, const char **ret_text,
                          struct err *err) MUST_CHECK;

// Opens an existing trusted file for writing and writes all of it in ONE write(2), as the kernel's control files want it.
int fd_write_file(int dir_fd, const char *path, const char *text, struct err *err) MUST_CHECK;

// Replaces the file below dir_fd as a whole: a temporary file beside it, then rename(2). Not synced: for run-time state.
int fd_replace_file(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, struct err *err) MUST_CHECK;

// The same, on the disk when it returns; dir_fd must be open for reading.
int fd_replace_file_synced(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, struct err *err) MUST_CHECK;

#endif
