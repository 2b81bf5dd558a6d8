// Passwords and tokens in memory: overwritten when they are done with, so that neither a core dump nor what comes by the same
// memory later has them. (explicit_bzero(3))
//
// A buf that grows leaves copies behind: reserve what it may need first.
#ifndef COFFER_BASE_SECRET_H
#define COFFER_BASE_SECRET_H

#include "runtime/base/attr.h"

struct buf;

// The string, which lies in memory of our own that may be written; NULL is fine.
void secret_wipe(const char *text);

// Wipes and frees what the buf holds.
void secret_finish(struct buf *buf);
#define AUTO_SECRET AUTO(secret_finish)

#endif
