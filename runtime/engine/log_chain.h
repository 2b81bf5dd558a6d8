// The files of a log: ctr.log, which is written, and those before it: ctr.log.1, ctr.log.2 and so on, the oldest last.
//
// A file gives way by rename(2), newest last: ctr.log.1 becomes ctr.log.2, then ctr.log becomes ctr.log.1, then the new file, made
// beforehand under another name, becomes ctr.log. Whoever is killed in between leaves one number free, which the next move fills.
// A reader opens the newest first: a file that moves meanwhile is met a second time, and never missed.
#ifndef COFFER_ENGINE_LOG_CHAIN_H
#define COFFER_ENGINE_LOG_CHAIN_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

#define LOG_FILE_NAME "ctr.log" // in the container's folder, unless the option `path` says otherwise

struct log_chain {
    int dir_fd;
    const char *name; // of the newest file; borrowed from the options
};

void log_chain_finish(struct log_chain *chain);
#define AUTO_LOG_CHAIN AUTO(log_chain_finish)

// Finds the folder of the files: the container's, whose descriptor is borrowed, or that of the path in the options.
int log_chain_open(int container_fd, const char *path, struct log_chain *ret, struct err *err) MUST_CHECK;

// Opens the newest file to append to, and makes it where there is none. What is no regular file is refused: it would be renamed.
int log_chain_append(const struct log_chain *chain, struct err *err) MUST_CHECK;

// Begins the next file and returns it; at most max_files are kept. -1 with errno when it cannot be made: then nothing has changed.
int log_chain_next(const struct log_chain *chain, int max_files) MUST_CHECK;

// Opens the files that are newer than `known` (-1: all there are), newest first, and returns how many: at most LOG_MOST_FILES. The
// descriptors are the caller's. *ret_found says whether `known` is still one of the files.
int log_chain_read(const struct log_chain *chain, int known, int *ret_fds, bool *ret_found, struct err *err) MUST_CHECK;

#endif
