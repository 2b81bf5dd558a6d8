// Where the members of a plain tar archive lie: one look at the headers, so that each member's data can then be read in place.
// Names are only ever compared with names that are looked for; no path of the file system is made from them.
#ifndef COFFER_IMAGES_ARCHIVE_H
#define COFFER_IMAGES_ARCHIVE_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum {
    ARCHIVE_MAX_MEMBERS = 20 * 1000,
    ARCHIVE_MAX_LINKS = 8, // followed one after the other
};

struct archive_member {
    const char *name; // clean: no leading "/" or "./"
    const char *link; // clean name of another member that this one is a link to; NULL: a file of its own
    bool is_directory;
    uint64_t offset; // of the data in the archive, in bytes
    uint64_t size;
    size_t order;
};

struct archive {
    int fd;                         // borrowed
    struct archive_member *members; // sorted by name, one a name: the last in the archive
    size_t count;
    struct arena arena;
};

// The file must be seekable. Errors name the member.
int archive_init(struct archive *archive, int fd, struct err *err) MUST_CHECK;
void archive_finish(struct archive *archive);

// The file of this name, links followed; NULL if there is none.
const struct archive_member *archive_find(const struct archive *archive, const char *name);

#endif
