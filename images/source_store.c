// An image of the store, handed on as an OCI image whose layers are plain tars: then their digests are their diff ids, and all of
// it is known before a byte of it is made. Layers become tars again only as they are read (images/layer_tar.h).
#include "images/blob.h"
#include "images/image.h"
#include "images/layer.h"
#include "images/pack.h"
#include "images/source_state.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "specs/image_manifest_write.h"
#include "specs/json_write.h"

#include <fcntl.h>
#include <string.h>

int source_store_open(struct source *source, const char *name, struct err *err) {
    const char *path;
    struct image_ref *ref = arena_alloc(&source->arena, sizeof(*ref));
    source->kind = SOURCE_STORE;
    source->path = name;
    if (image_find(source->store, name, &source->arena, &path, ref, err) < 0) {
        return -1;
    }
    source->ref = ref->name ? ref : NULL; // found by its id
    source->record_fd = image_record_open(source->store, path, &source->arena, &source->record, err);
    source->fd = source->record_fd < 0 ? -1 : fcntl(source->store->fd, F_DUPFD_CLOEXEC, 3);
    return source->record_fd < 0 ? -1 : source->fd < 0 ? err_sys(err, "open the store") : 0;
}

static int describe_layer(const struct source *source, size_t index, struct image_descriptor *ret, struct err *err) {
    struct layer layer;
    const struct image_record *record = &source->record;
    if (layer_open(source->store, record->layers[index].key, &layer, err) < 0) {
        return -1;
    }
    uint64_t size = layer.tar_bytes;
    layer_finish(&layer);
    *ret = (struct image_descriptor){
        .media_type = pack_media_type(NULL, COMPRESSION_NONE), .digest = record->config.diff_ids[index], .size = (int64_t)size};
    return size > 0
               ? 0
               : err_set(err, ERR_UNSUPPORTED,
                         "layer %s has no record of its tar in the store; remove the images that have it (coffer rmi), and pull or "
                         "load them again",
                         record->config.diff_ids[index]);
}

int source_store_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) {
    const struct image_record *record = &source->record;
    struct source_document config;
    AUTO_BUF struct buf text = {0};
    struct json_writer writer = {.buf = &text};
    if (record->config.diff_ids_count != record->layers_count) {
        return err_set(err, ERR_CORRUPT, "its record names %zu layers, its configuration %zu", record->layers_count,
                       record->config.diff_ids_count);
    }
    if (blob_read(source->store, record->id, arena, &config, err) < 0) {
        return -1;
    }
    struct image_manifest manifest = {
        .kind = IMAGE_MANIFEST,
        .config = {.media_type = IMAGE_OCI_CONFIG, .digest = record->id, .size = (int64_t)config.size},
        .layers = arena_array(arena, record->layers_count + 1, sizeof(struct image_descriptor)),
        .layers_count = record->layers_count,
    };
    for (size_t i = 0; i < record->layers_count; i++) {
        if (describe_layer(source, i, &manifest.layers[i], err) < 0) {
            return -1;
        }
    }
    image_manifest_write(&writer, &manifest);
    ret->media_type = IMAGE_OCI_MANIFEST;
    ret->document = (struct source_document){.text = arena_copy(arena, text.data, text.size), .size = text.size};
    digest_of(DIGEST_SHA256, text.data, text.size, &ret->document.digest);
    ret->name = source->ref ? source->ref->tag : NULL;
    ret->reference = source->ref && source->ref->tag ? image_ref_full(arena, source->ref) : NULL;
    return 0;
}

const char *source_store_layer(const struct source *source, const struct digest *digest) {
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    for (size_t i = 0; source->kind == SOURCE_STORE && i < source->record.config.diff_ids_count; i++) {
        if (strcmp(source->record.config.diff_ids[i], text) == 0) {
            return source->record.layers[i].key;
        }
    }
    return NULL;
}

int source_store_pack(struct source *source, const char *key, struct source_blob *ret, struct err *err) {
    struct image_descriptor descriptor;
    const struct pack_request request = {
        .store = source->store, .key = key, .spool_fd = source->spool_fd, .compression = COMPRESSION_NONE};
    if (pack_layer(&request, &source->arena, &descriptor, ret, err) < 0) {
        return -1;
    }
    source_keep(source, ret->fd);
    return 0;
}
