// Reading directories: readdir(3) with an owner.
#ifndef COFFER_BASE_DIR_H
#define COFFER_BASE_DIR_H

#include "runtime/base/attr.h"

#include <dirent.h>
#include <sys/types.h>

struct err;

void dir_cleanup(DIR **stream);
#define AUTO_DIR AUTO(dir_cleanup)

// A stream of its own over the directory, so that the descriptor, which is borrowed, keeps its position. NULL with errno.
DIR *dir_stream(int dir_fd) MUST_CHECK;

// The next entry but "." and "..". NULL at the end, with errno 0, or on an error.
const struct dirent *dir_next(DIR *stream);

// Makes the directory by its absolute path, with the mode `last`, and what is missing above it, with `above`. One that is there stays as
// it is. For trusted paths only: where our own state is kept.
int dir_make(const char *path, mode_t above, mode_t last, struct err *err) MUST_CHECK;

#endif
