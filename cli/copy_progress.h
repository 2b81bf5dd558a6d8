// What `copy` and `push` have in common: a line a blob on standard error, and --digestfile.
#ifndef COFFER_CLI_COPY_PROGRESS_H
#define COFFER_CLI_COPY_PROGRESS_H

#include "images/copy.h"
#include "images/digest.h"
#include "runtime/base/attr.h"

struct err;
struct progress;

enum { COPY_LINES = 8 }; // blobs at a time, and some to spare

struct copy_progress {
    struct progress *progress;
    struct copy_line {
        char digest[DIGEST_TEXT_SIZE]; // of a line that is drawn; "": free
        unsigned line;
    } lines[COPY_LINES];
};

void copy_progress_begin(struct copy_progress *shown);
void copy_progress_finish(struct copy_progress *shown);
#define AUTO_COPY_PROGRESS AUTO(copy_progress_finish)

// context: a struct copy_progress.
void copy_progress_show(void *context, const char *digest, enum copy_state state, uint64_t done, uint64_t size);

// A directory for what comes from one registry and goes to another. The descriptor is the caller's.
int copy_open_spool(struct err *err) MUST_CHECK;

// Prints the digest, and writes it to the file of --digestfile, where there is one (NULL: none).
int copy_tell_digest(const struct digest *digest, const char *file, struct err *err) MUST_CHECK;

// Only the latter.
int copy_write_digest(const struct digest *digest, const char *file, struct err *err) MUST_CHECK;

#endif
