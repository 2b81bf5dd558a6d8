#include "images/layer.h"

#include "images/staging.h"
#include "images/store.h"
#include "images/tar_record.h"
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/sys.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTION_MAX_BYTES = 64 << 10 };

struct description {
    const char *diff_id;
    uint64_t size_bytes, tar_bytes;
    bool needs_lower;
    bool opaque;
};

static const struct json_row description_rows[] = {
    ROW_STRING("diff_id", struct description, diff_id, JSON_NEEDED),
    ROW_U64("size", struct description, size_bytes, JSON_NEEDED),
    ROW_U64("tar_size", struct description, tar_bytes, 0),
    ROW_BOOL("needs_lower", struct description, needs_lower, 0),
    ROW_BOOL("opaque", struct description, opaque, 0),
};
static const struct json_table description_table = JSON_TABLE(struct description, description_rows);

void layer_finish(struct layer *layer) {
    fd_close(&layer->fd);
}

void layer_chain_id(const struct digest *below, const struct digest *diff_id, struct digest *ret) {
    if (!below) {
        *ret = *diff_id;
        return;
    }
    char chain[DIGEST_TEXT_SIZE], top[DIGEST_TEXT_SIZE], text[2 * DIGEST_TEXT_SIZE];
    int length = snprintf(text, sizeof(text), "%s %s", digest_format(below, chain), digest_format(diff_id, top));
    digest_of(DIGEST_SHA256, text, (size_t)length, ret);
}

static int read_description(struct layer *layer, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_FREE char *text = NULL;
    size_t size;
    struct description description = {0};
    if (fd_read_file(layer->fd, "layer.json", DESCRIPTION_MAX_BYTES, &text, &size, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = "layer.json", .text = text, .size = size};
    if (json_decode(&document, &description_table, &arena, &description, err) < 0 ||
        digest_parse(description.diff_id, &layer->diff_id, err) < 0) {
        return -1;
    }
    layer->size_bytes = description.size_bytes;
    layer->tar_bytes = description.tar_bytes;
    layer->needs_lower = description.needs_lower;
    layer->opaque = description.opaque;
    return 0;
}

// The lock comes after the opening: a collector may have been in between, and the directory is then gone from its place.
static int open_locked(const struct store *store, const char *key) {
    for (;;) {
        struct stat opened, placed;
        AUTO_FD int fd = openat(store->layers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            return -1;
        }
        if (flock(fd, LOCK_SH) < 0 && errno != EINTR) {
            return -1;
        }
        if (fstat(fd, &opened) == 0 && fstatat(store->layers_fd, key, &placed, AT_SYMLINK_NOFOLLOW) == 0 &&
            opened.st_ino == placed.st_ino && opened.st_dev == placed.st_dev) {
            return fd_take(&fd);
        }
    }
}

int layer_open(const struct store *store, const char *key, struct layer *ret_layer, struct err *err) {
    AUTO(layer_finish) struct layer layer = {.fd = open_locked(store, key)};
    if (layer.fd < 0) {
        bool missing = errno == ENOENT;
        err_sys(err, "open %s/layers/%s", store->path, key);
        err->kind = missing ? ERR_NOT_FOUND : err->kind;
        return -1;
    }
    snprintf(layer.key, sizeof(layer.key), "%s", key);
    if (read_description(&layer, err) < 0) {
        return err_in(err, "layer %s of the store %s", key, store->path);
    }
    *ret_layer = layer;
    layer.fd = -1;
    return 0;
}

// 1: found; 0: not there, or not what was looked for.
static int find_by_key(const struct store *store, const char *key, const struct digest *diff_id, struct layer *ret,
                       struct err *err) {
    struct layer layer;
    if (layer_open(store, key, &layer, err) < 0) {
        return err->kind == ERR_NOT_FOUND ? 0 : -1;
    }
    if (!digest_equal(&layer.diff_id, diff_id)) {
        layer_finish(&layer);
        return 0;
    }
    *ret = layer;
    return 1;
}

int layer_find(const struct store *store, const struct digest *diff_id, const struct digest *chain_id, struct layer *ret_layer,
               struct err *err) {
    int found = find_by_key(store, chain_id->hex, diff_id, ret_layer, err);
    if (found || digest_equal(diff_id, chain_id)) {
        return found;
    }
    struct layer layer;
    found = find_by_key(store, diff_id->hex, diff_id, &layer, err);
    if (found > 0 && layer.needs_lower) { // it was the lowest of another image
        layer_finish(&layer);
        return 0;
    }
    if (found > 0) {
        *ret_layer = layer;
    }
    return found;
}

uint64_t layer_size(const struct store *store, const char *key) {
    AUTO(layer_finish) struct layer layer = {.fd = openat(store->layers_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    struct err unread;
    return layer.fd >= 0 && read_description(&layer, &unread) == 0 ? layer.size_bytes : 0;
}

int layer_describe(const struct layer *layer, int dir_fd, struct err *err) {
    AUTO_BUF struct buf text = {0};
    char diff_id[DIGEST_TEXT_SIZE];
    struct json_writer writer = {.buf = &text};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "diff_id", digest_format(&layer->diff_id, diff_id));
    json_write_u64(&writer, "size", layer->size_bytes);
    if (layer->tar_bytes > 0) {
        json_write_u64(&writer, "tar_size", layer->tar_bytes);
    }
    json_write_bool(&writer, "needs_lower", layer->needs_lower);
    json_write_bool(&writer, "opaque", layer->opaque);
    json_write_close(&writer, '}');
    AUTO_FD int fd = openat(dir_fd, "layer.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, text.data, text.size) < 0) {
        return err_sys(err, "write layer.json");
    }
    return 0;
}

int layer_make_record(int dir_fd, struct err *err) {
    int fd = openat(dir_fd, TAR_RECORD_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(err, "make a layer's %s in the store", TAR_RECORD_NAME) : fd;
}

int layer_publish(const struct store *store, const struct staging *staging, const char *name, const struct layer *layer,
                  struct err *err) {
    if (renameat(staging->fd, name, store->layers_fd, layer->key) == 0 || errno == EEXIST || errno == ENOTEMPTY) {
        return 0;
    }
    // Of several images that are published together, one before may have brought it there.
    int reason = errno;
    if (reason != ENOENT || faccessat(store->layers_fd, layer->key, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        errno = reason;
        return err_sys(err, "put layer %s in its place", layer->key);
    }
    return 0;
}

int layer_replace(const struct store *store, const struct staging *staging, const char *name, const struct layer *layer,
                  struct err *err) {
    if (sys_renameat2(staging->fd, name, store->layers_fd, layer->key, RENAME_EXCHANGE) == 0) {
        return 0;
    }
    return errno == ENOENT ? layer_publish(store, staging, name, layer, err)
                           : err_sys(err, "put layer %s in its place", layer->key);
}
