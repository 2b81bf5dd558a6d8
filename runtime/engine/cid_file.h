// The file that --cidfile names: where a new container's id is written for scripts. The path is the caller's, taken with his own rights.
#ifndef COFFER_ENGINE_CID_FILE_H
#define COFFER_ENGINE_CID_FILE_H

#include "runtime/base/attr.h"

struct err;

// path NULL: none is wished for, and nothing is done.

// Makes it before the container is made: that it is there already is an error that costs nothing.
int cid_file_make(const char *path, int *ret_fd, struct err *err) MUST_CHECK;

int cid_file_write(const char *path, int fd, const char *id, struct err *err) MUST_CHECK;

// There is no container for it after all.
void cid_file_remove(const char *path);

#endif
