// Making an image of a root file system: a directory, or a tar of one, becomes the only layer. (`docker import`.) Or the topmost one of
// another image. (`docker commit`.)
#ifndef COFFER_IMAGES_IMPORT_H
#define COFFER_IMAGES_IMPORT_H

#include "images/ref.h"
#include "images/unpack.h"
#include "runtime/base/attr.h"
#include "specs/image_config.h"
#include "specs/image_manifest.h"

#include <stdbool.h>

struct arena;
struct err;
struct store;

struct import_options {
    const char *source;           // a directory; a tar, plain or compressed with gzip or zstd; "-"
    int input_fd;                 // what "-" stands for; may be a pipe, which is unpacked as it comes
    int (*confirm)(void *context, struct err *err); // asked at the end of input_fd, whether that was all; NULL: it was
    void *confirm_context;
    const char *base;             // the id of the image whose layers lie below, which the caller has open, with input_fd as source; NULL: none
    const char *author, *created_by; // with a base: for the image and its history; NULL: not said
    const struct image_ref *name; // NULL: none
    const char *message;          // for the history; NULL: where it came from, without a base
    struct image_settings settings;
    const struct image_platform *platform; // NULL: this host's
    enum unpack_devices devices;
    bool single_id;
};

// *ret_id is "sha256:...", in the arena. On failure the store is as before. Starts a process: the caller has no threads.
// A directory's layer is that of a canonical tar of it (images/tree_pack.h): the same tree gives the same one.
int import_image(struct store *store, const struct import_options *options, struct arena *arena, const char **ret_id,
                 struct err *err) MUST_CHECK;

#endif
