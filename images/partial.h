// A partial file: what came of a layer whose pull was slow and was broken off, for the next pull to go on with.
//
//     partials/ALGORITHM-HEX      of the compressed blob with this digest: a note of where its bytes begin (images/partial_note.h),
//                                 then those bytes, without a gap
//
// Theory of operation. The fetcher, which is nobody and parses strangers' bytes, appends to it what it receives, through a
// descriptor that can do nothing else. So the file is never right by itself: its bytes go the way of all that comes from a
// registry, into the unpacker, and only the digest of the whole vouches for them. If that is another one the file goes, and all is
// got anew, once. Nothing is synced: the file only grows at its end, so that a kill leaves a shorter one, and what a power cut
// leaves is right or is found out. It goes with the image's publication, after a week, or with a prune.
//
// Who writes or reads it holds an exclusive flock(2) on it. Who does not get that does without.
#ifndef COFFER_IMAGES_PARTIAL_H
#define COFFER_IMAGES_PARTIAL_H

#include "images/digest.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

enum {
    PARTIAL_NAME_SIZE = sizeof("partials/sha512-") + DIGEST_HEX_MAX,
    PARTIAL_MAX_AGE_S = 7 * 24 * 60 * 60,
};

struct partial {
    const struct store *store; // NULL: there is none
    int fd;                    // to read, with the lock
    uint64_t from, to;         // of the blob's bytes: those it held when it was opened
    char name[PARTIAL_NAME_SIZE];
};

// Opens what is kept of the blob. False: there is nothing of use, or another process has it. One that cannot be right is removed.
bool partial_find(const struct store *store, const struct digest *digest, uint64_t size, struct partial *ret);

// Makes an empty one. False, told as a word for the curious: it cannot be.
bool partial_create(const struct store *store, const struct digest *digest, struct partial *ret);

// A descriptor that can append to it, and no more; the caller's. -1 with errno.
int partial_writer(const struct partial *partial);

void partial_remove(struct partial *partial); // the file, too
void partial_finish(struct partial *partial); // the file stays, if it holds anything; a zeroed one is fine

// Tells of each partial file: its bytes on the disk, and whether somebody has it.
void partial_each(const struct store *store, void (*tell)(void *context, uint64_t bytes, bool in_use), void *context);

// Removes those that nobody has and that are at least so old. Returns how many, and adds their bytes on the disk.
unsigned partial_sweep(const struct store *store, int64_t min_age_s, uint64_t *bytes);

#endif
