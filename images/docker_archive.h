// Writes an archive as `docker save` does: a configuration HEX.json and plain layers HEX.tar, named by digest and diff id, then
// manifest.json with what belongs to which image, and `repositories`, from which the oldest readers took the tags.
//
// In one go, to a file or into a pipe. Owned by the caller: init, then finish; what was not ended is no archive. `copy` and `save`
// write with it.
#ifndef COFFER_IMAGES_DOCKER_ARCHIVE_H
#define COFFER_IMAGES_DOCKER_ARCHIVE_H

#include "images/digest_set.h"
#include "images/pieces.h"
#include "images/ref.h"
#include "images/tar_writer.h"
#include "runtime/base/arena.h"

// One image of it. Everything is copied.
struct docker_archive_image {
    struct digest config;
    const struct digest *diff_ids; // the lowest layer first
    size_t layers_count;
    const struct image_ref *names; // with tags
    size_t names_count;
};

struct docker_archive {
    struct tar_writer tar;
    int spool_fd;             // borrowed: a directory for layers of unknown size that go into a pipe
    struct digest_set layers; // written, by their diff ids
    struct digest_set configs;
    struct docker_archive_image *images;
    size_t images_count, images_room;
    struct arena arena;
};

// Begins to write to a file or pipe, borrowed. The archive must not move from then on.
void docker_archive_init(struct docker_archive *archive, int fd, int spool_fd);
void docker_archive_finish(struct docker_archive *archive); // a zeroed one is fine
#define AUTO_DOCKER_ARCHIVE AUTO(docker_archive_finish)

bool docker_archive_has_layer(const struct docker_archive *archive, const struct digest *diff_id);

// A layer's plain tar, which must not be there yet. size: PIECES_ANY_SIZE where nobody knows it: into a file it costs nothing, into
// a pipe the layer is written to the spool directory first. Errors do not name the layer.
int docker_archive_add_layer(struct docker_archive *archive, const struct digest *diff_id, uint64_t size,
                             const struct pieces *pieces, struct err *err) MUST_CHECK;

// A configuration; nothing is done when it is there.
int docker_archive_add_config(struct docker_archive *archive, const struct digest *digest, const void *text, size_t size,
                              struct err *err) MUST_CHECK;

// An image of parts that are there.
void docker_archive_add_image(struct docker_archive *archive, const struct docker_archive_image *image);

int docker_archive_end(struct docker_archive *archive, struct err *err) MUST_CHECK;

#endif
