// The records of pax extended headers, "LENGTH KEY=VALUE\n", that belong to one member of an archive. Private to the room.
//
// They are collected as bytes, the global header's first, and decoded in place when the member itself comes: later ones win.
#ifndef COFFER_IMAGES_TAR_PAX_H
#define COFFER_IMAGES_TAR_PAX_H

#include "images/tar_sparse.h"
#include "runtime/base/attr.h"
#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct err;

enum {
    TAR_PAX_MAX_BYTES = 1 << 20,         // for one member
    TAR_PAX_MAX_GLOBAL_BYTES = 64 << 10, // looked through again for each member
    TAR_MAX_XATTRS = 1000,
};

// The value has a NUL behind it that does not count.
struct tar_xattr {
    const char *name;
    const char *value;
    size_t size;
};

// What is not set is NULL or has its `has_` false.
struct tar_pax {
    struct buf records;
    const char *path, *link;
    bool has_size, has_uid, has_gid, has_mtime, has_atime;
    uint64_t size, uid, gid;
    struct timespec mtime, atime;
    struct tar_xattr *xattrs;
    size_t xattr_count;
    const char *sparse_name;
    bool has_sparse_size, has_sparse_map;
    uint64_t sparse_major, sparse_minor, sparse_size;
};

void tar_pax_finish(struct tar_pax *pax);

// Forgets what belonged to the last member.
void tar_pax_clear(struct tar_pax *pax);

// Decodes pax->records. Segments of sparse maps go into the sparse map.
int tar_pax_decode(struct tar_pax *pax, struct tar_sparse *sparse, struct err *err) MUST_CHECK;

#endif
