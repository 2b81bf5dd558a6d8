// What the readers of the different sources share. Private to the room.
#ifndef COFFER_IMAGES_SOURCE_STATE_H
#define COFFER_IMAGES_SOURCE_STATE_H

#include "images/archive.h"
#include "images/source.h"
#include "runtime/base/arena.h"

enum {
    SOURCE_MAX_DOCUMENT_BYTES = 64 << 20, // of one source together: an index may name the same document again and again
    SOURCE_MAX_LAYERS = 500,              // of an image: more overlayfs does not take
};

enum source_kind { SOURCE_ANY, SOURCE_LAYOUT, SOURCE_DOCKER };

struct source {
    enum source_kind kind;
    const char *path;   // for messages
    const char *wanted; // tag or reference behind the path; NULL: all
    const struct image_platform *platform;
    int fd; // a directory, or an archive
    bool is_archive;
    struct archive archive;
    int *blob_fds; // files of a directory that were handed out
    size_t blob_count, blob_room;
    uint64_t document_bytes; // read so far
    struct arena arena;
};

// The images of a source on their way into a list.
struct source_list {
    struct arena *arena;
    struct source_image *images;
    size_t count, room;
};

struct source_image *source_list_add(struct source_list *list);

// Finds a file of the source by its path. 1: *ret_blob stays open as long as the source; 0: there is none; -1 with err.
int source_find(struct source *source, const char *path, struct source_blob *ret_blob, struct err *err) MUST_CHECK;

// Reads a small file whole, into the arena. One that is not there is ERR_INPUT; more than JSON_MAX_BYTES is an error.
int source_read(struct source *source, const char *path, struct arena *arena, struct source_document *ret,
                struct err *err) MUST_CHECK;

// The readers: source_layout.c, source_docker.c.
int source_layout_images(struct source *source, struct source_list *list, struct err *err) MUST_CHECK;
int source_docker_images(struct source *source, struct source_list *list, struct err *err) MUST_CHECK;

// Checks the configuration against the layers and gives them their diff ids. `name`: of the configuration, for messages.
int source_take_config(struct source_list *list, struct source_image *image, const char *name, struct err *err) MUST_CHECK;

#endif
