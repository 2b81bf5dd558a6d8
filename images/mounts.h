// Images mounted to look into: `coffer image mount`. What is below here is run-time state, in a folder beside the store:
//
//     HEX                the image of this id, mounted read-only
//     HEX.NUMBER         a note: how many times it was asked for in the mount namespace of this number (its inode's)
//     .namespace.NUMBER  held (flock(2)) by the processes of a `coffer unshare`, whose mount namespace it is
//     .empty             what lies below an image of one layer: overlayfs wants two
//     .lock              held while something is mounted or unmounted
//
// Theory of operation. Nobody lives to hold a lock on the image, so a note says that it is mounted, and is believed as far as it is
// true: in our own mount namespace the directory itself tells whether something is mounted there, and a note of another namespace
// counts while that one lives. It is written before the mount is made and goes after that: whoever dies in between leaves a note
// that is not true, which the next one who mounts, unmounts or lists removes. A reboot clears the whole folder. The image's record
// is locked while it is being mounted, so that one who removes images sees either the lock or the mount.
#ifndef COFFER_IMAGES_MOUNTS_H
#define COFFER_IMAGES_MOUNTS_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct store;

struct mounts {
    const char *path; // absolute, borrowed
    int fd;           // the folder
    int lock_fd;
    uint64_t space; // the number of our mount namespace
};

struct image_mount {
    const char *id; // hex
    const char *path;
    unsigned count; // how many times it was asked for, and so has to be unmounted; 0: nobody remembers
};

// Makes the folder where it is missing, locks it and removes notes that are not true.
int mounts_open(const char *path, struct mounts *ret, struct err *err) MUST_CHECK;
void mounts_finish(struct mounts *mounts);
#define AUTO_MOUNTS AUTO(mounts_finish)

// Mounts the image, or counts one more who wants it. Strings of *ret live in the arena. In a user namespace that is not the initial
// one only where mounts_hold() was called in this mount namespace before: ERR_STATE.
int mounts_add(const struct mounts *mounts, struct store *store, const char *name, struct arena *arena, struct image_mount *ret,
               struct err *err) MUST_CHECK;

// Counts one less, and unmounts it with the last. By force it is unmounted in any case, though somebody uses it. ERR_STATE: it is
// not mounted, or in use.
int mounts_drop(const struct mounts *mounts, const char *hex, bool force, struct err *err) MUST_CHECK;

// What is mounted in our namespace, sorted by id; in the arena.
int mounts_list(const struct mounts *mounts, struct arena *arena, struct image_mount **ret, size_t *ret_count,
                struct err *err) MUST_CHECK;

// Whether the image is mounted, in our namespace or in another one that lives. Takes no lock.
bool mounts_has(const char *path, const char *hex);

// For a process that has just made a mount namespace of its own: what is mounted there counts for as long as this process or a
// descendant has the descriptor that is returned. It stays open across execve(2).
int mounts_hold(const char *path, struct err *err) MUST_CHECK;

#endif
