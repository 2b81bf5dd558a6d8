// Where a copy goes: one row of functions for each kind of target, a file each. Private to the room.
//
// The order of calls: open; for each manifest begin, then has and perhaps put for its configuration and for its layers, the lowest
// first, then put_document for itself; an index after all that it lists, the root last of all; end. finish comes in any case, and
// then what was not ended leaves nothing that looks like an image.
#ifndef COFFER_IMAGES_COPY_TARGET_H
#define COFFER_IMAGES_COPY_TARGET_H

#include "images/copy.h"
#include "images/pieces.h"
#include "images/source.h"
#include "runtime/base/arena.h"

struct copy_target;

// A blob on its way, with where it comes from. It is told of by copy_part_tell() and copy_part_pieces().
struct copy_part {
    const struct copy_options *options;
    struct source *source;
    const struct image_descriptor *descriptor;
    struct digest digest;
    uint64_t size;
    struct source_stream *stream; // while its pieces are read
    uint64_t done;
};

struct copy_target_ops {
    const char *prefix; // of the target's text
    bool one_image;     // holds no index
    bool keeps_urls;    // holds manifests as they are: of a layer that is not to be handed on they say where it is
    bool names_blobs;   // its errors say which one, which may be one before

    // rest: the text behind the prefix; NULL for a registry.
    int (*open)(struct copy_target *target, const char *rest, struct err *err);
    // An image of which the parts follow; NULL: nothing to do. The manifest lives as long as the copy.
    int (*begin)(struct copy_target *target, const struct image_manifest *manifest, struct err *err);
    // 1: it has the blob, or took it over from a repository beside it (*ret_state); 0: send it; -1.
    int (*has)(struct copy_target *target, const struct copy_part *part, enum copy_state *ret_state, struct err *err);
    // 0: it is there; 1: it is on its way, and told of by the target when it is there.
    int (*put)(struct copy_target *target, struct copy_part *part, struct err *err);
    // A manifest or index, by its digest alone; of the root also by the target's name.
    int (*put_document)(struct copy_target *target, const char *media_type, const struct source_document *document, bool is_root,
                        struct err *err);
    // All is there: it becomes an image. *digest is the root's, and may become what the target knows it by. NULL: nothing to do.
    int (*end)(struct copy_target *target, struct digest *digest, struct err *err);
    void (*finish)(struct copy_target *target);
};

extern const struct copy_target_ops copy_target_registry, copy_target_layout, copy_target_archive, copy_target_docker,
    copy_target_dir;

struct copy_target {
    const struct copy_target_ops *ops;
    const struct copy_options *options;
    const char *path;      // for messages
    const char *tag;       // NULL: none was said
    const char *reference; // the image's whole name, NULL: none is known
    void *state;           // of its kind
    struct arena arena;
};

int copy_target_init(struct copy_target *target, const struct copy_options *options, struct err *err) MUST_CHECK;
void copy_target_finish(struct copy_target *target);
#define AUTO_COPY_TARGET AUTO(copy_target_finish)

// --- what the targets share ---

// "PATH[:TAG]": the tag is what stands behind the last colon, where that can be one and there is no such file.
void copy_target_split_tag(struct copy_target *target, const char *rest);

// The part's bytes as they come, with progress told. They end with copy_part_close().
int copy_part_open(struct copy_part *part, struct pieces *ret, struct err *err) MUST_CHECK;
void copy_part_close(struct copy_part *part);
void copy_part_tell(void *part, uint64_t done);

#endif
