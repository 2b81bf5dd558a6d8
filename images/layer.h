// A layer of the store: a directory layers/KEY with the unpacked tree in fs/, what is known of it in layer.json, and in tar.zst
// what makes it a tar again.
//
// KEY is the hex of its diff id: a layer is shared by all images that have it. One that took something from the layers below it
// (the attributes of a directory that its tar only implies, a hard link to a file of theirs) is right on that stack alone; its key
// is the stack's chain id.
#ifndef COFFER_IMAGES_LAYER_H
#define COFFER_IMAGES_LAYER_H

#include "images/digest.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct staging;
struct store;

struct layer {
    char key[DIGEST_HEX_MAX + 1]; // directory name below layers/
    struct digest diff_id;
    uint64_t size_bytes; // of all files unpacked
    uint64_t tar_bytes;  // of the tar that its record makes again (images/tar_record.h); 0: it has none
    bool needs_lower;    // right on its own stack only
    bool opaque;         // hides all layers below it
    int fd;              // its directory, with a shared lock that keeps it from being collected; -1: not open
};

void layer_finish(struct layer *layer); // closes fd

// The chain id of a layer on top of a chain: sha256 of "CHAIN DIFFID"; of the lowest layer its diff id. below: NULL for the lowest.
// (OCI image-spec v1.1, config.md, "Layer ChainID".)
void layer_chain_id(const struct digest *below, const struct digest *diff_id, struct digest *ret);

// Looks for the layer, by itself or made for this chain. 1: *ret_layer is open and locked; 0: it is not in the store.
int layer_find(const struct store *store, const struct digest *diff_id, const struct digest *chain_id, struct layer *ret_layer,
               struct err *err) MUST_CHECK;

// Opens and locks one by its key. One that is not there is ERR_NOT_FOUND.
int layer_open(const struct store *store, const char *key, struct layer *ret_layer, struct err *err) MUST_CHECK;

// Makes the empty file for the record in the layer's directory, which is still being made. The descriptor is for writing.
int layer_make_record(int dir_fd, struct err *err) MUST_CHECK;

// The bytes of all its files by its key, as its description says; 0 where that cannot be read.
uint64_t layer_size(const struct store *store, const char *key);

// Writes layer.json into the layer's directory, which is still being made.
int layer_describe(const struct layer *layer, int dir_fd, struct err *err) MUST_CHECK;

// Renames the staged directory `name` to the layer's place. Under the store's lock. One that is already there stays: it is the
// same.
int layer_publish(const struct store *store, const struct staging *staging, const char *name, const struct layer *layer,
                  struct err *err) MUST_CHECK;

// The same in exchange for one that is damaged, which is then in the staging directory, to be removed. There is a layer under the
// key at every moment. Under the store's lock, and with claims on all images that have the layer (images/claims.h).
int layer_replace(const struct store *store, const struct staging *staging, const char *name, const struct layer *layer,
                  struct err *err) MUST_CHECK;

#endif
