// What the readers of the different sources share. Private to the room.
#ifndef COFFER_IMAGES_SOURCE_STATE_H
#define COFFER_IMAGES_SOURCE_STATE_H

#include "images/archive.h"
#include "images/image_record.h"
#include "images/source.h"
#include "runtime/base/arena.h"

enum {
    SOURCE_MAX_DOCUMENT_BYTES = 64 << 20, // of one source together: an index may name the same document again and again
    SOURCE_MAX_LAYERS = 500,              // of an image: more overlayfs does not take
};

enum source_kind { SOURCE_ANY, SOURCE_LAYOUT, SOURCE_DOCKER, SOURCE_DIR, SOURCE_REGISTRY, SOURCE_STORE };

// A member of an archive of `docker save`, by its digest.
struct source_part {
    struct digest digest;
    const char *name;
};

struct source {
    enum source_kind kind;
    const char *path;   // for messages
    const char *wanted; // tag or reference behind the path; NULL: all
    const struct image_platform *platform;
    struct registry *registry; // borrowed
    struct registry *beside;   // borrowed; NULL: none
    const struct image_ref *ref;
    const struct store *store;  // borrowed
    struct image_record record; // of the image in it
    int record_fd;              // with a shared lock
    int spool_fd;               // borrowed
    int fd;                     // a directory, or an archive
    bool is_archive;
    struct archive archive;
    const struct source_part *parts; // of the one image that is handed on
    size_t parts_count;
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

// A new file without a name in the spool directory.
int source_spool(const struct source *source, struct err *err) MUST_CHECK;

// The blob's place, its size as the descriptor has it; of a registry only the size. ret_path: its name in the source, in `room`.
// (source_layout.c)
enum { SOURCE_BLOB_PATH_SIZE = sizeof("blobs/sha256/.manifest.json") + DIGEST_HEX_MAX };
int source_find_blob(struct source *source, const struct image_descriptor *descriptor, char room[SOURCE_BLOB_PATH_SIZE],
                     const char **ret_path, struct source_blob *ret_blob, struct err *err) MUST_CHECK;

// Waits for the end of a download. (source_registry.c)
struct registry_download;
int source_registry_wait(struct source *source, struct registry_download *download, struct err *err) MUST_CHECK;

// A blob of the registry in such a file, verified.
int source_registry_blob(struct source *source, const struct digest *digest, uint64_t size, struct source_blob *ret,
                         struct err *err) MUST_CHECK;

// Lets the source own a descriptor.
void source_keep(struct source *source, int give_fd);

// Counts bytes of documents against SOURCE_MAX_DOCUMENT_BYTES.
int source_count(struct source *source, const char *name, uint64_t bytes, struct err *err) MUST_CHECK;

// Takes what a manifest describes, or the best that an index lists. `name`: its digest. (source_layout.c)
int source_take_document(struct source *source, struct source_list *list, const char *name, const char *media_type,
                         const struct source_document *document, unsigned depth, struct err *err) MUST_CHECK;

// A manifest or a small blob of the registry, verified. (source_registry.c)
int source_registry_read(struct source *source, const struct image_descriptor *descriptor, const struct digest *digest,
                         struct arena *arena, struct source_document *ret, struct err *err) MUST_CHECK;

// How the bytes from there on are compressed, by the first of them.
enum compression source_compression(int fd, uint64_t offset);

// The readers: source_layout.c, source_docker.c, source_dir.c, source_registry.c.
int source_layout_images(struct source *source, struct source_list *list, struct err *err) MUST_CHECK;
int source_layout_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) MUST_CHECK;
int source_registry_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) MUST_CHECK;
int source_registry_images(struct source *source, struct source_list *list, struct err *err) MUST_CHECK;
int source_docker_images(struct source *source, struct source_list *list, struct err *err) MUST_CHECK;
int source_docker_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) MUST_CHECK;
int source_dir_images(struct source *source, struct source_list *list, struct err *err) MUST_CHECK;
int source_dir_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) MUST_CHECK;

// An image of the store: source_store.c.
int source_store_open(struct source *source, const char *name, struct err *err) MUST_CHECK;
int source_store_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) MUST_CHECK;

// The key of the layer that has this digest as its diff id; NULL: it is none of the image's.
const char *source_store_layer(const struct source *source, const struct digest *digest);

// Its tar, in a file without a name in the spool directory.
int source_store_pack(struct source *source, const char *key, struct source_blob *ret, struct err *err) MUST_CHECK;

// Checks the configuration against the layers and gives them their diff ids. `name`: of the configuration, for messages.
int source_take_config(struct source_list *list, struct source_image *image, const char *name, struct err *err) MUST_CHECK;

#endif
