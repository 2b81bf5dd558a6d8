// root: a directory that paths cannot climb out of.
//
// Theory of operation. A path that a container, image, archive or bundle can name may hold "..", absolute links, magic links of
// /proc, and may be changed by its owner between two looks. So no such path is ever given to a plain system call: it is opened below
// a root descriptor by openat2(2) with RESOLVE_IN_ROOT (the root is "/" for this walk, ".." and absolute links stay inside) and
// RESOLVE_NO_MAGICLINKS (a link of /proc/PID/fd cannot jump out), ONCE, and all later work is done on the descriptor.
// What is missing is made one component at a time on descriptors (CVE-2024-45310: mkdir -p in the host's name space).
//
// A root is a plain descriptor of a directory; the functions borrow it. Linux 5.6 or later.
#ifndef COFFER_KERNEL_ROOT_H
#define COFFER_KERNEL_ROOT_H

#include "runtime/base/attr.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct err;

// Opens the path below the root; O_CLOEXEC is added to flags. Returns a descriptor, -1 with err (errnum set) otherwise.
int root_open(int root_fd, const char *path, int flags, struct err *err) MUST_CHECK;

// The same without a message: -1 with errno. For paths that may be missing.
int root_try_open(int root_fd, const char *path, int flags) MUST_CHECK;

// Opens the directory at path as O_PATH, making it and missing parents with the given mode, owned by the caller.
// Existing ones are left as they are; something else in the way is an error.
int root_make_dir(int root_fd, const char *path, mode_t mode, struct err *err) MUST_CHECK;

// The same for a path that was just seen to be missing. *ret_made: the last component is a new directory and nobody else's.
int root_make_missing_dir(int root_fd, const char *path, mode_t mode, bool *ret_made, struct err *err) MUST_CHECK;

// Opens the file at path as O_PATH, making it empty with mode 0644, and its missing parents with 0755, when it is not there.
// A link at the end that leads nowhere is not followed to make its target. A directory in the way is an error.
int root_make_file(int root_fd, const char *path, struct err *err) MUST_CHECK;

// Opens the parent of the path's last component as O_PATH, making missing ones with 0755, and gives that component's name, which
// points into path. A path that ends in "..", "." or is empty is an error.
int root_open_parent(int root_fd, const char *path, const char **ret_name, struct err *err) MUST_CHECK;

// Opens as O_PATH the directory in which what the path leads to lies, or would lie, and gives its name there: links at the end are
// followed, too. Nothing is made. ERR_NOT_FOUND: that directory is missing. Slashes at the end are left out; "/", and what ends in "." or
// "..", has no name: ERR_INPUT.
int root_find_parent(int root_fd, const char *path, char ret_name[NAME_MAX + 1], struct err *err) MUST_CHECK;

#endif
