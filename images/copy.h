// Copying images between registries, OCI layouts and archives, and directories, byte for byte: every digest stays what it is. Only
// an archive of `docker save` is another form, in which layers are plain and there is no manifest: of it the image's id stays.
//
// What the target has is not sent again; between two repositories of one registry blobs are mounted, not sent at all. To a registry
// up to four are sent side by side. Parts come before what names them, and the name last, so that a copy that is broken off leaves
// blobs and no half image.
#ifndef COFFER_IMAGES_COPY_H
#define COFFER_IMAGES_COPY_H

#include "images/digest.h"
#include "images/ref.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct image_platform;
struct registry;
struct store;

// One end: a reference in its registry, or files by their text: as a source what images/source.h says, as a target
//
//     oci:DIR[:TAG]    oci-archive:FILE[:TAG]    docker-archive:FILE[:REFERENCE]    dir:DIR
//
// FILE is replaced when the new one is whole; "-" is standard output, and what is no ordinary file is written to as it is.
struct copy_end {
    struct registry *registry; // NULL: text
    const struct image_ref *ref;
    const char *text;
    const struct store *store; // of a source: text is the name of an image in there
};

// PACKING is told of a layer by its diff id, and is over when all bytes are done.
// COPY_FOREIGN: a layer that shall not be handed on, whose manifest says where it is: it is left there, as docker and skopeo do.
enum copy_state { COPY_PACKING, COPY_SENDING, COPY_SENT, COPY_MOUNTED, COPY_PRESENT, COPY_FOREIGN };

struct copy_options {
    struct copy_end from, to;
    int input_fd, output_fd;               // what "-" stands for
    int spool_fd;                          // a directory for files without a name
    bool all;                              // an index with all that it lists; else one image
    const struct image_platform *platform; // which; NULL: this host's

    // Told of each blob, by its digest: bytes done, of so many. NULL: not at all.
    void (*progress)(void *context, const char *digest, enum copy_state state, uint64_t done, uint64_t size);
    void *progress_context;
};

// *ret_digest: of the manifest or index that the target's name stands for now; of an archive of `docker save` the image's id.
// Starts processes: the caller has no threads.
int copy_image(const struct copy_options *options, struct digest *ret_digest, struct err *err) MUST_CHECK;

#endif
