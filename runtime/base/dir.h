// Reading directories: readdir(3) with an owner.
#ifndef COFFER_BASE_DIR_H
#define COFFER_BASE_DIR_H

#include "runtime/base/attr.h"

#include <dirent.h>

void dir_cleanup(DIR **stream);
#define AUTO_DIR AUTO(dir_cleanup)

// A stream of its own over the directory, so that the descriptor, which is borrowed, keeps its position. NULL with errno.
DIR *dir_stream(int dir_fd) MUST_CHECK;

// The next entry but "." and "..". NULL at the end, with errno 0, or on an error.
const struct dirent *dir_next(DIR *stream);

#endif
