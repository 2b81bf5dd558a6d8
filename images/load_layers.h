// The layers of a load: those the store has, and those that workers unpack. Private to the room.
#ifndef COFFER_IMAGES_LOAD_LAYERS_H
#define COFFER_IMAGES_LOAD_LAYERS_H

#include "images/digest.h"
#include "images/load.h"
#include "images/partial.h"
#include "images/publish.h"
#include "images/registry.h"
#include "images/unpack.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct registry_download;
struct staging;
struct store;
struct unpack_worker;

// One layer on one chain. The same layer on two chains is unpacked twice, because it may need what lies below it; that is rare, and
// the second is thrown away at the end if it did not.
struct load_layer_job {
    const struct source_layer *source;
    struct digest chain_id;
    struct publish_layer publish;
    int fs_fd;     // its tree
    int record_fd; // of its tar, until the worker has ended; -1: none
    bool settled;
    bool replaces; // one that is damaged
    struct unpack_worker *worker;
    struct unpack_result result;
    struct registry_download *download; // feeds the worker; NULL: it reads a file
    int pipe;                           // the download's end; -1: none
    struct partial partial;             // what is kept of it: load_partials.h
    bool keeps;                         // what comes is appended there
    int keep_fd;                        // by this; -1: none
    bool resumes;                       // the download takes bytes from there
    bool is_again;                      // it did, in vain: now all of it comes
};

struct load_layers {
    struct store *store;
    const struct load_options *options;
    const struct staging *staging;
    struct arena *arena;
    struct load_layer_job **jobs; // each in memory of its own: others point to them
    struct load_layer *states;    // what progress is told, in the same order
    size_t count, room;
    int locks_fd;       // of the layers that are brought; -1: none yet
    size_t directories; // made in staging
    struct load_pace {
        bool begun, is_slow;
        int64_t since_ms; // that only the line is waited for
        uint64_t bytes_then;
    } pace;
};

void load_layers_finish(struct load_layers *layers);

// Finds the image's layers in the store, or plans to unpack them.
int load_layers_add(struct load_layers *layers, const struct source_image *image, struct err *err) MUST_CHECK;

// Unpacks what is planned, and verifies it.
int load_layers_unpack(struct load_layers *layers, struct err *err) MUST_CHECK;

// Gives the image's new layers what they need of those below them.
int load_layers_settle(struct load_layers *layers, const struct source_image *image, struct err *err) MUST_CHECK;

const struct publish_layer *load_layers_get(const struct load_layers *layers, const struct digest *chain_id);

#endif
