// Writes an OCI image layout as a tar archive, in one go: to a file or into a pipe. (OCI image-spec v1.1, image-layout.md.)
//
// Blobs first, index.json last, so that what is broken off is no layout. Owned by the caller: init, then finish; what was not ended
// is no archive. `copy` and `save` write with it.
#ifndef COFFER_IMAGES_LAYOUT_ARCHIVE_H
#define COFFER_IMAGES_LAYOUT_ARCHIVE_H

#include "images/digest_set.h"
#include "images/pieces.h"
#include "images/tar_writer.h"
#include "runtime/base/arena.h"
#include "specs/image_manifest.h"

struct layout_archive {
    struct tar_writer tar;
    struct digest_set blobs;         // written
    struct image_descriptor *images; // for index.json
    size_t images_count, images_room;
    struct arena arena;
};

// Begins to write to a file or pipe, borrowed. The archive must not move from then on.
int layout_archive_init(struct layout_archive *archive, int fd, struct err *err) MUST_CHECK;
void layout_archive_finish(struct layout_archive *archive); // a zeroed one is fine
#define AUTO_LAYOUT_ARCHIVE AUTO(layout_archive_finish)

bool layout_archive_has(const struct layout_archive *archive, const struct digest *digest);

// A blob, or a document, of known size; what does not prove to be it fails, and so does the archive. One that is there already must
// not come again. Errors do not name the blob.
int layout_archive_add(struct layout_archive *archive, const struct digest *digest, uint64_t size, const struct pieces *pieces,
                       struct err *err) MUST_CHECK;

// The same of what is in memory; nothing is done when it is there.
int layout_archive_add_text(struct layout_archive *archive, const struct digest *digest, const void *text, size_t size,
                            struct err *err) MUST_CHECK;

// Lists a manifest or index in index.json; name: NULL for none.
void layout_archive_list(struct layout_archive *archive, const char *media_type, const struct digest *digest, uint64_t size,
                         const char *name);

int layout_archive_end(struct layout_archive *archive, struct err *err) MUST_CHECK;

#endif
