// Bringing images into the store: from a source to tags, all of it or nothing.
//
// Layers are unpacked side by side, the largest first, each by a worker of its own (images/unpack_worker.h), straight from the
// source into the staging directory. A layer that the store has is not read at all. What a slow pull has got of the others is kept
// for the next one, should it be broken off: images/load_partials.h. Only when every digest, size and diff id has
// proved right, and all is on the disk, is anything put in its place.
#ifndef COFFER_IMAGES_LOAD_H
#define COFFER_IMAGES_LOAD_H

#include "images/source.h"
#include "images/unpack.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct registry;
struct store;
struct strv;

enum load_state { LOAD_WAITING, LOAD_RUNNING, LOAD_DONE, LOAD_PRESENT };

struct load_layer {
    const char *name; // its digest, or its name in the archive
    uint64_t size;    // compressed bytes
    uint64_t done;    // of them
    enum load_state state;
    uint64_t resumed_at; // where a pull that was broken off had come to; 0: there was none
    uint64_t resumed;    // bytes that are there from it
};

// What a load brings though the store has it, because it is damaged there (images/check.h).
struct load_repair {
    const char *id;            // "sha256:...": this image, and no other
    const struct strv *layers; // their keys
    bool record;               // the image's record, too
};

struct load_options {
    const char *source;        // as images/source.h has it
    struct registry *registry; // where `ref` is; NULL: source is not one
    const struct image_ref *ref;
    int input_fd;                          // what "-" stands for
    const struct image_ref *name;          // in place of what the source says; NULL: none
    const struct image_platform *platform; // NULL: this host's
    enum unpack_devices devices;
    bool single_id;                   // only one user id is mapped: owners are not kept
    unsigned workers;                 // at a time; 0: one a processor
    int64_t partial_after_ms;         // waited for the line, and as long to wait: what comes is kept (images/load_partials.h)
    const struct load_repair *repair; // NULL: what is there is right

    // Told after every change, and of running layers some times a second; NULL: not at all.
    void (*progress)(void *context, const struct load_layer *layers, size_t count);
    void *progress_context;
};

struct load_image {
    const char *id; // "sha256:..."
    const struct image_ref *names;
    size_t names_count;
};

// Whether all that the reference stands for in its registry is in the store already: one question of some bytes. 1: and *ret_image
// is it; 0: load it.
int load_is_current(struct store *store, const struct load_options *options, struct arena *arena, struct load_image *ret_image,
                    struct err *err) MUST_CHECK;

// *ret_images live in the arena. On failure the store is as before. Starts processes: the caller has no threads.
int load_images(struct store *store, const struct load_options *options, struct arena *arena, struct load_image **ret_images,
                size_t *ret_count, struct err *err) MUST_CHECK;

#endif
