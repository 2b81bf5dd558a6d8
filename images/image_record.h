// An image's record, images/HEX.json: all that running it needs in one small document. Private to the room.
//
// Made from the configuration once its layers are unpacked, and never changed: the lock of a running container is on this very
// file.
#ifndef COFFER_IMAGES_IMAGE_RECORD_H
#define COFFER_IMAGES_IMAGE_RECORD_H

#include "images/digest.h"
#include "runtime/base/arena.h"
#include "runtime/base/attr.h"
#include "specs/image_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct store;

struct image_record_layer {
    const char *key; // below layers/
    uint64_t size_bytes;
    bool opaque;
};

struct image_record {
    const char *id;                    // "sha256:..." of the configuration
    const char *manifest;              // "sha256:...", or NULL
    const char *loaded;                // RFC 3339, UTC
    struct image_config config;        // without its history, which nobody needs to run it: that is in the blob
    struct image_record_layer *layers; // the lowest first
    size_t layers_count;
};

void image_record_write(const struct image_record *record, struct buf *text);

// name: for messages.
int image_record_decode(const char *name, const char *text, size_t size, struct arena *arena, struct image_record *ret,
                        struct err *err) MUST_CHECK;

// Opens a record by a path below the store, which may be a tag's, takes a shared lock on it and reads it. Returns the descriptor
// that holds the lock. A record that is not there is ERR_NOT_FOUND.
int image_record_open(const struct store *store, const char *path, struct arena *arena, struct image_record *ret,
                      struct err *err) MUST_CHECK;

// Reads one without a lock, for who uses nothing that it names: its removal neither waits for us nor we for it. A record is never changed,
// only replaced and removed as a whole.
int image_record_read(const struct store *store, const char *path, struct arena *arena, struct image_record *ret,
                      struct err *err) MUST_CHECK;

// Paths below the store: "images/HEX.json"; "blobs/sha256/HEX" of "sha256:HEX".
enum { IMAGE_RECORD_PATH_SIZE = sizeof("blobs/sha256/") + DIGEST_HEX_MAX + sizeof(".json") };
const char *image_record_path(const char *hex, char path[IMAGE_RECORD_PATH_SIZE]);
const char *image_record_blob_path(const char *digest_text, char path[IMAGE_RECORD_PATH_SIZE]);

// The hex digits of a digest's text.
const char *image_record_hex(const char *digest_text);

// The ids of all images, hex, sorted, in the arena.
int image_record_list(const struct store *store, struct arena *arena, const char ***ret_ids, size_t *ret_count,
                      struct err *err) MUST_CHECK;

#endif
