#include "images/publish.h"

#include "images/claims.h"
#include "images/load.h"
#include "images/staging.h"
#include "images/store.h"
#include "images/tags.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Several images of one archive may share a document.
static int write_once(const struct staging *staging, const char *name, const void *data, size_t size, struct err *err) {
    return faccessat(staging->fd, name, F_OK, 0) == 0 ? 0 : staging_write(staging, name, data, size, err);
}

static int write_record(const struct staging *staging, const struct publish_image *image, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    char id[DIGEST_TEXT_SIZE], manifest[DIGEST_TEXT_SIZE], loaded[sizeof("9999-12-31T23:59:59Z")];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(loaded, sizeof(loaded), "%Y-%m-%dT%H:%M:%SZ", &parts);
    struct image_record record = {
        .id = digest_format(&image->document->digest, id),
        .manifest = image->manifest ? digest_format(&image->manifest->digest, manifest) : NULL,
        .loaded = loaded,
        .config = *image->config,
        .layers = arena_array(&arena, image->layers_count + 1, sizeof(*record.layers)),
        .layers_count = image->layers_count,
    };
    for (size_t i = 0; i < image->layers_count; i++) {
        const struct layer *layer = &image->layers[i]->layer;
        record.layers[i] = (struct image_record_layer){.key = layer->key, .size_bytes = layer->size_bytes, .opaque = layer->opaque};
    }
    image_record_write(&record, &text);
    // Read back as it will be: what cannot be run shall not be stored.
    if (image_record_decode("the image's record", text.data, text.size, &arena, &record, err) < 0) {
        return -1;
    }
    AUTO_FREE char *name = mem_format("%s.json", image->document->digest.hex);
    return write_once(staging, name, text.data, text.size, err);
}

int publish_prepare(const struct staging *staging, const struct publish_image *image, struct err *err) {
    const struct source_document *documents[] = {image->document, image->manifest};
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        if (documents[i] && write_once(staging, documents[i]->digest.hex, documents[i]->text, documents[i]->size, err) < 0) {
            return -1;
        }
    }
    return write_record(staging, image, err);
}

static int place_blob(const struct store *store, const struct staging *staging, const struct source_document *document,
                      struct err *err) {
    char text[DIGEST_TEXT_SIZE], path[IMAGE_RECORD_PATH_SIZE];
    image_record_blob_path(digest_format(&document->digest, text), path);
    if (renameat(staging->fd, document->digest.hex, store->fd, path) < 0 && errno != ENOENT) { // gone: another image had it, too
        return err_sys(err, "put %s in its place", path);
    }
    return 0;
}

// A record that is there stays: containers hold locks on that very file, and it says the same. One that is replaced has been
// claimed.
static int place_record(const struct store *store, const struct staging *staging, const struct publish_image *image,
                        struct err *err) {
    char path[IMAGE_RECORD_PATH_SIZE];
    const char *name = strchr(image_record_path(image->document->digest.hex, path), '/') + 1;
    bool stays = store_has(store, path) && !(image->repair && image->repair->record);
    if (!stays && renameat(staging->fd, name, store->fd, path) < 0) {
        return err_sys(err, "put %s in its place", path);
    }
    return 0;
}

static int place_names(const struct store *store, const struct staging *staging, const struct publish_image *image,
                       struct err *err) {
    const char *hex = image->document->digest.hex;
    char text[DIGEST_TEXT_SIZE];
    for (size_t i = 0; i < image->names_count; i++) {
        struct image_ref by_digest = image->names[i];
        if (image->names[i].tag && tag_set(store, staging, &image->names[i], hex, err) < 0) {
            return -1;
        }
        by_digest.tag = NULL;
        by_digest.digest = image->manifest ? digest_format(&image->manifest->digest, text) : NULL;
        if (by_digest.digest && tag_set(store, staging, &by_digest, hex, err) < 0) {
            return -1;
        }
        if (image->names[i].digest) { // of an index that led to this image
            by_digest.digest = image->names[i].digest;
            if (tag_set(store, staging, &by_digest, hex, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int place_layer(const struct store *store, const struct staging *staging, const struct publish_layer *layer,
                       const struct load_repair *repair, struct err *err) {
    return repair && strv_has(repair->layers, layer->layer.key) ? layer_replace(store, staging, layer->staged, &layer->layer, err)
                                                                : layer_publish(store, staging, layer->staged, &layer->layer, err);
}

static int place_image(const struct store *store, const struct staging *staging, const struct publish_image *image,
                       struct err *err) {
    AUTO_CLAIMS struct claims claims = {0};
    if (image->repair && claims_take(store, image->document->digest.hex, image->repair->layers, &claims, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < image->layers_count; i++) {
        const struct publish_layer *layer = image->layers[i];
        if (layer->staged && place_layer(store, staging, layer, image->repair, err) < 0) {
            return -1;
        }
    }
    if (place_blob(store, staging, image->document, err) < 0 ||
        (image->manifest && place_blob(store, staging, image->manifest, err) < 0)) {
        return -1;
    }
    return place_record(store, staging, image, err) < 0 || place_names(store, staging, image, err) < 0 ? -1 : 0;
}

// One commit of a journal carries them all; the order is for file systems where it does not.
static int sync_folders(const struct store *store, struct err *err) {
    static const char *const folders[] = {"layers", "blobs/sha256", "images", "tags"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        AUTO_FD int fd = openat(store->fd, folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0) {
            return err_sys(err, "write %s/%s to disk", store->path, folders[i]);
        }
    }
    return 0;
}

static int sync_names(const struct store *store, const struct publish_image *image, struct err *err) {
    for (size_t i = 0; i < image->names_count; i++) {
        if (tag_sync(store, &image->names[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

int publish_images(const struct store *store, const struct staging *staging, const struct publish_image *images, size_t count,
                   struct err *err) {
    if (staging_sync(staging, err) < 0) {
        return -1;
    }
    AUTO_FD int lock = store_lock(store, err);
    if (lock < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (place_image(store, staging, &images[i], err) < 0) {
            return -1;
        }
    }
    if (sync_folders(store, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (sync_names(store, &images[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
