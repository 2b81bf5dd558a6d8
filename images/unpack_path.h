// Names in archives as paths below a layer's root, and the directories they lie in. Private to the room.
//
// Theory of operation. A name is first made plain text that cannot climb: no leading "/", no ".", no "..", bounded. Then its parent
// directory is opened by openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS: a symbolic link anywhere on the way is an error,
// even one that stays inside, because no sane archive has files behind its own links. The last component is only ever used with
// calls that do not follow links, relative to that parent. The parents last used are kept open: entries of one directory stand
// together in archives, and pay for one walk.
#ifndef COFFER_IMAGES_UNPACK_PATH_H
#define COFFER_IMAGES_UNPACK_PATH_H

#include "runtime/base/attr.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

// "/usr//lib/./x/" -> "usr/lib/x"; "", "/", "./" -> ".". ".." components, names beyond NAME_MAX and PATH_MAX are refused.
// `what` begins the error's text ("its name", "its link target").
int unpack_path_clean(const char *name, const char *what, char ret_path[PATH_MAX], struct err *err) MUST_CHECK;

struct unpack_parent {
    int fd;
    bool other_group; // files may come up with the directory's group in place of ours (mount option grpid)
};

enum { UNPACK_CACHED_PARENTS = 8 };

struct unpack_parents {
    int root_fd; // borrowed
    gid_t gid;   // that new files should have
    struct unpack_cached_parent {
        char *path; // NULL: free
        size_t length;
        struct unpack_parent parent;
    } cached[UNPACK_CACHED_PARENTS];
    unsigned newest, next;
};

void unpack_parents_init(struct unpack_parents *parents, int root_fd, gid_t gid);
void unpack_parents_finish(struct unpack_parents *parents);

// Opens the directory that a clean path lies in, without making anything. -1 and errno: ENOENT where it is missing, ELOOP, ENOTDIR.
// *ret_name points into path. The descriptor stays the cache's, good until the next call.
int unpack_parents_open(struct unpack_parents *parents, const char *path, struct unpack_parent *ret_parent,
                        const char **ret_name) MUST_CHECK;

// Forgets all: after a directory was replaced or changed its owner.
void unpack_parents_clear(struct unpack_parents *parents);

#endif
