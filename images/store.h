// The store: a directory of images that share unpacked layers.
//
//     version                        what this page describes is "1"
//     lock                           flock(2): exclusive while things are put in place or taken away, for moments
//     blobs/sha256/HEX               manifests and configurations as they came, byte for byte
//     layers/KEY/fs                  an unpacked layer, as overlayfs takes it; KEY is the hex of its diff id, or of its chain id
//     layers/KEY/layer.json          if it needed the layers below it to be complete
//     layers/KEY/tar.zst             what makes its tar again, bit by bit: all of it but the data of its files
//     images/HEX.json                one image: its record, named by its id (the configuration's digest, as docker has it)
//     tags/REPOSITORY/TAG            a link to an image's record; "/" in the repository is "+". Digest references look the same.
//     lists/REPOSITORY/TAG           a list of images that was made by hand (images/list.h); it keeps none of them here
//     partials/ALGORITHM-HEX         what a slow pull that was broken off has got of a compressed layer (images/partial.h)
//     staging/RANDOM                 what is being made or taken away; flock'ed by the process that does so
//
// Theory of operation. Nothing is ever changed in place: all work is done in a staging directory, synced, and renamed to where it
// belongs under the exclusive lock, layers first, tags last; so a tag always leads to a whole image. A process that dies leaves
// its staging directory, whose lock died with it: whoever opens the store to change or list it takes those away. Running an
// image takes no lock of the store: it opens the tag, which leads to the record, and holds a shared lock on the record. An image is
// removed only by who gets the exclusive lock on its record; a layer, when no record names it and nobody who is about to
// publish an image holds a shared lock on its directory. Partial files stand outside of that: no image leads to them, only a pull
// looks there, and what it finds counts as what a registry sends, until the digest of the whole is right. A list is small enough to
// be read, changed and replaced under the exclusive lock as a whole, so that nobody's change is lost; lists/ is made with the first.
//
// The directory belongs to root, or to the rootless user, and to nobody else (0700): names in it are trusted.
#ifndef COFFER_IMAGES_STORE_H
#define COFFER_IMAGES_STORE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

struct store {
    char *path;      // absolute; owned
    int fd;          // the directory
    int layers_fd;   // its layers/: base of what images name as their layers
    char *mounts_path; // where images are mounted (images/mounts.h), which keeps them from being removed; owned; NULL: nowhere
    bool user_xattr; // overlay's marks are in user.overlay.*: everything here is done inside a user namespace
};

enum store_flag {
    STORE_CREATE = 1, // make it where it is missing
    STORE_USER_XATTR = 2,
    STORE_AS_IT_IS = 4, // to be examined: its mode stays, and folders may be missing (layers_fd is -1 without layers/)
};

// Opens the store. Without STORE_CREATE one that is not there is ERR_NOT_FOUND. A store of another version is ERR_UNSUPPORTED.
// flags: enum store_flag, or-ed.
int store_open(const char *path, unsigned flags, struct store **ret_store, struct err *err) MUST_CHECK;

// Says where images are mounted: an absolute path, copied.
void store_set_mounts(struct store *store, const char *path);

void store_close(struct store *store); // NULL is fine
void store_cleanup(struct store **store);
#define AUTO_STORE AUTO(store_cleanup)

// Before store_open() in an ordinary user's process that changes images or lists them: puts the process, which must have no
// threads, into a user namespace with the user's subordinate ids (subuid(5)), where it is root over his layers' files.
// *ret_single_id: he has none, or newuidmap(1) is missing; then only his own id exists there.
int store_enter_user_namespace(bool *ret_single_id, struct err *err) MUST_CHECK;

// The folders that make it up, parents before children; NULL behind the last.
extern const char *const store_folders[];

// Whether a name right below the store is one of those, or another that belongs there: the lock, and what the engine keeps.
bool store_knows(const char *name);

// Whether there is something at the path below the store; links are followed.
bool store_has(const struct store *store, const char *path);

// Waits for the exclusive lock and returns the descriptor that holds it. Held for renames and removals, never while data is written
// or read, and never across a fork.
int store_lock(const struct store *store, struct err *err) MUST_CHECK;

#endif
