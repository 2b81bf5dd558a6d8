// A file on its way to its name: without one until it is whole, where the file system has such files (O_TMPFILE), so that a kill
// leaves nothing; elsewhere under a name of its own that the next one of its kind takes over.
//
// Owned by the caller: open, place, finish; what was not placed is gone.
#ifndef COFFER_IMAGES_NEW_FILE_H
#define COFFER_IMAGES_NEW_FILE_H

#include "runtime/base/attr.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct err;

struct new_file {
    int dir_fd; // borrowed
    int fd;     // for reading and writing
    bool is_named;
    char own_name[NAME_MAX + 32]; // below dir_fd
};

// own_name: a name that nothing but new files have. Errors do not name the directory.
int new_file_open(struct new_file *file, int dir_fd, const char *own_name, struct err *err) MUST_CHECK;
void new_file_finish(struct new_file *file);
#define AUTO_NEW_FILE AUTO(new_file_finish)

// One that never gets a name, for reading and writing: the caller's. -1 with err.
int new_file_nameless(int dir_fd, struct err *err) MUST_CHECK;

// Puts it on the disk and gives it its name below the directory. What has the name already is replaced, or, without `replace`, left
// as it is.
struct new_file_place {
    const char *name;
    mode_t mode; // whatever the umask is
    bool replace;
};
int new_file_place(struct new_file *file, const struct new_file_place *place, struct err *err) MUST_CHECK;

#endif
