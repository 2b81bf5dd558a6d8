// A staging directory: where everything is made before it is renamed to its place in the store, and where it is renamed to before
// it is taken away. Locked by its owner for as long as the owner lives, so that others can tell what a dead process has left.
#ifndef COFFER_IMAGES_STAGING_H
#define COFFER_IMAGES_STAGING_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

struct staging {
    const struct store *store; // NULL: not made yet
    int fd;                    // the directory, with the lock
    char name[32];             // below the store's staging/
};

int staging_init(struct staging *staging, const struct store *store, struct err *err) MUST_CHECK;

// Removes it with all that is still in it. A zeroed one is fine.
void staging_finish(struct staging *staging);
#define AUTO_STAGING AUTO(staging_finish)

// Writes a new file in the staging directory.
int staging_write(const struct staging *staging, const char *name, const void *data, size_t size, struct err *err) MUST_CHECK;

// Makes a directory in it and opens it.
int staging_make_dir(const struct staging *staging, const char *name, struct err *err) MUST_CHECK;

// Makes all of it durable (syncfs(2)): once, before anything is renamed out of it.
int staging_sync(const struct staging *staging, struct err *err) MUST_CHECK;

// Removes what dead processes have left, and returns how many there were. What cannot be removed is told as a warning.
size_t staging_sweep(const struct store *store);

#endif
