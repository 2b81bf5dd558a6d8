// Checking a store: whether all of it is what it was when it came, and making it that again. `coffer system check`.
//
// Documents (manifests, configurations) are held against the digests they are named by, records against the configurations they
// were made from, layers against the diff ids those name; names against the records they lead to; modes, owners and names of files
// against what belongs into a store. Nothing is changed by looking.
//
// Theory of operation of the repair. What can be made anew from what the store has itself is (folders, modes); a file that is not
// the store's is moved to lost+found/; links that lead nowhere go. Damaged documents and layers are brought again from where the
// image came from, by the digest of its manifest in the repositories it has a name in: by the same code as a pull, with the same
// checks, into a staging directory; what proves right is exchanged under the store's lock for what is damaged, which is removed
// with the staging directory. So the image keeps its id and names, and who dies half-way leaves what the next command removes.
// Nothing beneath a running container is changed: it holds the lock on its image's record.
#ifndef COFFER_IMAGES_CHECK_H
#define COFFER_IMAGES_CHECK_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct registry;
struct store;

enum check_kind {
    CHECK_FOLDER,  // of the store: missing
    CHECK_MODE,    // mode or owner
    CHECK_FOREIGN, // does not belong into the store
    CHECK_TAG,     // a name leads to no image
    CHECK_RECORD,  // an image's record
    CHECK_BLOB,    // a manifest or configuration
    CHECK_LAYER,
    CHECK_LEFTOVER, // no damage: takes room, and the next removal of an image takes it away
    CHECK_KIND_COUNT
};

enum check_outcome {
    CHECK_FOUND,
    CHECK_REPAIRED,
    CHECK_REMOVED, // the images that had it are gone
    CHECK_KEPT,    // could not be repaired
    CHECK_OUTCOME_COUNT
};

struct check_finding {
    enum check_kind kind;
    const char *path;    // below the store; "." is the store itself
    const char *problem; // what is wrong with it: "is missing". Foreign text in it is quoted
    const char **images; // ids (hex) of the images that need it
    const char **names;  // what to call them: their first tag, or the beginning of the id
    size_t images_count;
    enum check_outcome outcome;
    const char *remedy; // of CHECK_KEPT: why, and what to do
};

struct check_progress {
    const char *layer;    // its key
    uint64_t done, total; // bytes of its files; total is what the store's description says
    bool ended;
};

struct check_options {
    const char *const *images; // names or ids; only what these need is looked at. NULL: all, and what else is in the store
    bool quick;                // do not read what layers hold
    bool repair;
    bool force;                 // with repair: remove images that cannot be repaired
    const char *const *sources; // files and directories to bring it from before, as coffer load takes them; NULL: none
    struct registry *registry;  // where what is damaged is brought from; with repair
    bool single_id;             // as load_options has it
    bool no_devices;            // device nodes cannot be made
    unsigned workers;           // at a time; 0: one a processor

    // Told of each layer whose contents are read, some times a second and at its end; NULL: not at all.
    void (*progress)(void *context, const struct check_progress *progress);
    void *progress_context;
};

struct check_report {
    size_t images, layers; // looked at
    uint64_t bytes;        // of layers' contents read
    struct check_finding *findings;
    size_t findings_count;
    size_t damage;   // findings that are no leftovers
    size_t repaired; // of the damage; what was removed counts
    size_t more;     // findings that are not listed: there are too many
    size_t unread;   // layers without a record of their tar, which nothing can be held against: of an older coffer, or imported
    size_t failed;   // layers that could not be read to their end, for a reason that is not theirs: warnings say why
};

// "blob", "layer", ...; "found", "repaired", ...: for programs.
const char *check_kind_name(enum check_kind kind);
const char *check_outcome_name(enum check_outcome outcome);

// Lists live in the arena. An image that is named and not there is ERR_NOT_FOUND. Starts processes: the caller has no threads.
// The store was opened with STORE_AS_IT_IS.
int check_store(struct store *store, const struct check_options *options, struct arena *arena, struct check_report *ret,
                struct err *err) MUST_CHECK;

#endif
