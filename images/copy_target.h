// Where a copy goes: a repository of a registry, or a directory with an OCI layout. Private to the room.
#ifndef COFFER_IMAGES_COPY_TARGET_H
#define COFFER_IMAGES_COPY_TARGET_H

#include "images/copy.h"
#include "images/source.h"
#include "runtime/base/arena.h"

struct copy_target {
    const struct copy_options *options;
    struct registry *registry;
    const struct image_ref *ref;
    int fd;           // the layout's directory
    const char *path; // for messages
    const char *tag;  // NULL: none was said
    struct arena arena;
};

// name: what the source calls it, for a layout that is given none.
int copy_target_init(struct copy_target *target, const struct copy_options *options, struct err *err) MUST_CHECK;
void copy_target_finish(struct copy_target *target);
#define AUTO_COPY_TARGET AUTO(copy_target_finish)

// 1: it has the blob, or took it over from a repository beside it (*ret_state); 0: send it; -1.
int copy_target_has(struct copy_target *target, const struct digest *digest, uint64_t size, enum copy_state *ret_state,
                    struct err *err) MUST_CHECK;

int copy_target_put(struct copy_target *target, const struct digest *digest, const struct source_blob *blob,
                    struct err *err) MUST_CHECK;

// A manifest or index, by its digest alone; of the root also by the target's name.
int copy_target_put_document(struct copy_target *target, const char *media_type, const struct source_document *document,
                             bool is_root, struct err *err) MUST_CHECK;

#endif
