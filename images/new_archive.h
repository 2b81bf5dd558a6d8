// The file that an archive is written to: a new one that takes its name, in place of what had it, when it is whole; or a pipe,
// terminal or device, which is written to as it is.
//
// Owned by the caller: open, done, finish; what was not done leaves nothing, but what a pipe has taken already.
#ifndef COFFER_IMAGES_NEW_ARCHIVE_H
#define COFFER_IMAGES_NEW_ARCHIVE_H

#include "images/new_file.h"
#include "runtime/base/attr.h"

struct err;

struct new_archive {
    int fd;           // what to write to; a new file can be written to at any place
    const char *path; // borrowed, for messages
    int dir_fd;       // of a new file
    struct new_file file;
    char *name; // in the directory
};

// path: "-" is standard output, output_fd, and must not be a terminal.
int new_archive_open(struct new_archive *archive, const char *path, int output_fd, struct err *err) MUST_CHECK;
int new_archive_done(struct new_archive *archive, struct err *err) MUST_CHECK;
void new_archive_finish(struct new_archive *archive);
#define AUTO_NEW_ARCHIVE AUTO(new_archive_finish)

#endif
