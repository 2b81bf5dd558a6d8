// What the parts of the unpacker share while they work on one layer. Private to the room.
#ifndef COFFER_IMAGES_UNPACK_STATE_H
#define COFFER_IMAGES_UNPACK_STATE_H

#include "images/tar.h"
#include "images/tar_record.h"
#include "images/unpack.h"
#include "images/unpack_path.h"

#include <sys/types.h>

// A directory's times, and its set-group-id bit, wait for the end: every entry made in it would change the former and inherit from
// the latter.
struct unpack_dir {
    const char *path; // in the result's arena
    mode_t mode;
    bool implied;   // not an entry: something lies in it
    uint32_t order; // among the entries: the last of one path counts
    struct timespec atime, mtime;
};

struct unpack_state {
    const struct unpack_options *options;
    int root_fd;
    uid_t uid; // that new files have
    gid_t gid;
    struct inflate inflate;
    struct tar_reader tar;
    struct tar_record record;
    struct unpack_parents parents;
    struct unpack_dir *dirs;
    size_t dir_count, dir_room;
    uint64_t progress_at; // compressed bytes at the last report
    bool root_seen;       // the tar has an entry for the root itself
    struct unpack_result *result;
};

// An entry on its way: a clean path, the parent it lies in, and its name there.
struct unpack_target {
    const struct tar_entry *entry;
    const char *path;
    const char *name;
    struct unpack_parent parent;
};

// Opens the parent of a clean path; missing directories are made (0755, ours) and listed as implied.
int unpack_open_parent(struct unpack_state *state, const char *path, struct unpack_target *target, struct err *err) MUST_CHECK;

// Makes the entry: unpack_entry.c.
int unpack_entry(struct unpack_state *state, struct unpack_target *target, struct err *err) MUST_CHECK;
int unpack_root_entry(struct unpack_state *state, const struct tar_entry *entry, struct err *err) MUST_CHECK;
int unpack_file_attributes(struct unpack_state *state, int fd, const struct tar_entry *entry, struct err *err) MUST_CHECK;

// Whiteouts: unpack_whiteout.c. A marker's name begins with ".wh."; unpack_is_marker looks at every component.
#define UNPACK_MARKER ".wh."
#define UNPACK_OPAQUE_MARKER ".wh..wh..opq"
bool unpack_is_marker(const char *path);

// Refused, with the sentence: a marker below another's name, and one that names nothing. The path must be a marker's.
int unpack_marker_check(const char *path, struct err *err) MUST_CHECK;

// What a marker is about: the path that it deletes or, opaque, the directory. False: nothing, or it makes no sense.
bool unpack_marker_subject(const char *path, char ret_subject[PATH_MAX], bool *ret_opaque);
int unpack_marker(struct unpack_state *state, const char *path, const struct tar_entry *entry, struct err *err) MUST_CHECK;

// Whether `name` is a whiteout that this layer's archive asked for (no other 0:0 device is ever made).
bool unpack_is_whiteout(int parent_fd, const char *name);

// Something comes to lie where a whiteout is: takes the whiteout away. Returns whether there was one; a directory made in its place
// must be opaque.
bool unpack_replace_whiteout(int parent_fd, const char *name);
int unpack_add_opaque(struct unpack_state *state, const char *path, struct err *err) MUST_CHECK;

int unpack_add_link(struct unpack_state *state, const char *path, const char *target, struct err *err) MUST_CHECK;
void unpack_add_dir(struct unpack_state *state, const char *path, const struct tar_entry *entry, bool implied);

// Tells the progress callback, if enough has happened since the last time.
void unpack_report(struct unpack_state *state);

#endif
