// Saving images of the store into one archive: of docker save, or an OCI image layout.
//
// Layers become the plain tars that they were, as they are written; nothing is written elsewhere meanwhile. An image's id stays
// what it is; its manifest is another one, which names plain layers.
#ifndef COFFER_IMAGES_SAVE_H
#define COFFER_IMAGES_SAVE_H

#include "images/copy.h"

struct store;

enum save_format { SAVE_DOCKER_ARCHIVE, SAVE_OCI_ARCHIVE };

struct save_options {
    const struct store *store;
    const char *const *names; // of images in the store
    size_t names_count;       // at least one
    enum save_format format;
    const char *path; // "-" is standard output, which must not be a terminal
    int output_fd;    // that
    int spool_fd;     // a directory for files without a name
    void (*progress)(void *context, const char *digest, enum copy_state state, uint64_t done,
                     uint64_t size); // as copy_options has it
    void *progress_context;
};

// A file is replaced when the new one is whole. Starts processes: the caller has no threads.
int save_images(const struct save_options *options, struct err *err) MUST_CHECK;

#endif
