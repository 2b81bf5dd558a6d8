// A layer of the store as a blob again: packed into a file without a name. Private to the room.
//
// The tar is the one it came as, to the last bit; its compressed form is ours, so that its digest is another one than the blob's
// that it once was, unless coffer packed that, too.
#ifndef COFFER_IMAGES_PACK_H
#define COFFER_IMAGES_PACK_H

#include "images/digest.h"
#include "images/inflate.h"
#include "runtime/base/attr.h"

#include <stdint.h>

struct arena;
struct err;
struct image_descriptor;
struct registry;
struct source_blob;
struct store;

struct pack_request {
    const struct store *store;
    const char *key;              // of the layer in the store
    int spool_fd;                 // the directory for the file
    enum compression compression; // not ANY
    const char *manifest_type;    // the manifest's media type, which the layer's follows; NULL: OCI's

    struct registry *beside; // whose transfers go on meanwhile; NULL: none

    // Told of the bytes of the tar so far, of so many. NULL: not at all.
    void (*progress)(void *context, uint64_t done, uint64_t size);
    void *progress_context;
};

// The file is the caller's: ret_blob->fd. The descriptor's texts are in the arena.
int pack_layer(const struct pack_request *request, struct arena *arena, struct image_descriptor *ret, struct source_blob *ret_blob,
               struct err *err) MUST_CHECK;

// The media type of a layer in such a manifest. NULL: it cannot be there (zstd in docker's).
const char *pack_media_type(const char *manifest_type, enum compression compression);

#endif
