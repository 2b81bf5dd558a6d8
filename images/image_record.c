#include "images/image_record.h"

#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// The configuration, of at most JSON_MAX_BYTES, grows when it is written anew with its escapes.
enum { RECORD_MAX_BYTES = 8 * JSON_MAX_BYTES };

static const struct json_row layer_rows[] = {
    ROW_STRING("key", struct image_record_layer, key, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_U64("size", struct image_record_layer, size_bytes, JSON_NEEDED),
    ROW_BOOL("opaque", struct image_record_layer, opaque, 0),
};
static const struct json_table layer_table = JSON_TABLE(struct image_record_layer, layer_rows);

static int take_config(struct json_reader *reader, json_t *value, void *into) {
    return image_config_take(reader, value, into);
}

static const struct json_row record_rows[] = {
    ROW_STRING("id", struct image_record, id, JSON_NEEDED),
    ROW_STRING("manifest", struct image_record, manifest, 0),
    ROW_STRING("loaded", struct image_record, loaded, JSON_NEEDED),
    ROW_CUSTOM("config", struct image_record, config, struct image_config, take_config, JSON_NEEDED),
    ROW_LIST("layers", struct image_record, layers, struct image_record_layer, layer_table, JSON_NEEDED),
};
static const struct json_table record_table = JSON_TABLE(struct image_record, record_rows);

void image_record_write(const struct image_record *record, struct buf *text) {
    struct json_writer writer = {.buf = text};
    json_write_open(&writer, NULL, '{');
    json_write_string(&writer, "id", record->id);
    if (record->manifest) {
        json_write_string(&writer, "manifest", record->manifest);
    }
    json_write_string(&writer, "loaded", record->loaded);
    json_write_open(&writer, "layers", '[');
    for (size_t i = 0; i < record->layers_count; i++) {
        json_write_open(&writer, NULL, '{');
        json_write_string(&writer, "key", record->layers[i].key);
        json_write_u64(&writer, "size", record->layers[i].size_bytes);
        if (record->layers[i].opaque) {
            json_write_bool(&writer, "opaque", true);
        }
        json_write_close(&writer, '}');
    }
    json_write_close(&writer, ']');
    struct image_config config = record->config;
    config.history_count = 0;
    image_config_write(&config, &writer, "config");
    json_write_close(&writer, '}');
}

int image_record_decode(const char *name, const char *text, size_t size, struct arena *arena, struct image_record *ret,
                        struct err *err) {
    const struct json_document document = {.name = name, .text = text, .size = size, .max_bytes = RECORD_MAX_BYTES};
    struct image_record record = {0};
    if (json_decode(&document, &record_table, arena, &record, err) < 0) {
        return -1;
    }
    *ret = record;
    return 0;
}

static int open_record(const struct store *store, const char *path, struct err *err) {
    int fd = openat(store->fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int reason = errno;
        err_sys(err, "open %s/%s", store->path, path);
        err->kind = reason == ENOENT || reason == ENAMETOOLONG ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    return fd;
}

// One that was removed before it was locked is as good as never there.
static int open_locked(const struct store *store, const char *path, struct err *err) {
    AUTO_FD int fd = open_record(store, path, err);
    struct stat status;
    if (fd < 0) {
        return -1;
    }
    while (flock(fd, LOCK_SH) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock %s/%s", store->path, path);
        }
    }
    if (fstat(fd, &status) < 0 || status.st_nlink == 0) {
        return err_set(err, ERR_NOT_FOUND, "%s/%s is being removed", store->path, path);
    }
    return fd_take(&fd);
}

static int read_record(int fd, const char *path, struct arena *arena, struct image_record *ret, struct err *err) {
    AUTO_FREE char *text = NULL;
    size_t size;
    return fd_read_rest(fd, RECORD_MAX_BYTES, path, &text, &size, err) < 0 ||
                   image_record_decode(path, text, size, arena, ret, err) < 0
               ? -1
               : 0;
}

int image_record_open(const struct store *store, const char *path, struct arena *arena, struct image_record *ret, struct err *err) {
    AUTO_FD int fd = open_locked(store, path, err);
    return fd < 0 || read_record(fd, path, arena, ret, err) < 0 ? -1 : fd_take(&fd);
}

int image_record_read(const struct store *store, const char *path, struct arena *arena, struct image_record *ret, struct err *err) {
    AUTO_FD int fd = open_record(store, path, err);
    return fd < 0 ? -1 : read_record(fd, path, arena, ret, err);
}

const char *image_record_path(const char *hex, char path[IMAGE_RECORD_PATH_SIZE]) {
    snprintf(path, IMAGE_RECORD_PATH_SIZE, "images/%s.json", hex);
    return path;
}

const char *image_record_blob_path(const char *digest_text, char path[IMAGE_RECORD_PATH_SIZE]) {
    const char *hex = image_record_hex(digest_text);
    snprintf(path, IMAGE_RECORD_PATH_SIZE, "blobs/%.*s/%s", (int)strcspn(digest_text, ":"), digest_text, hex);
    return path;
}

const char *image_record_hex(const char *digest_text) {
    const char *colon = strchr(digest_text, ':');
    return colon ? colon + 1 : digest_text;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void close_stream(DIR **stream) {
    if (*stream) {
        closedir(*stream);
    }
}

int image_record_list(const struct store *store, struct arena *arena, const char ***ret_ids, size_t *ret_count, struct err *err) {
    int fd = openat(store->fd, "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(close_stream) DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        return err_sys(err, "list %s/images", store->path);
    }
    AUTO_STRV struct strv ids = {0};
    for (const struct dirent *entry; (entry = readdir(stream));) {
        size_t length = strspn(entry->d_name, "0123456789abcdef");
        if (length > 0 && strcmp(entry->d_name + length, ".json") == 0) {
            strv_add_format(&ids, "%.*s", (int)length, entry->d_name);
        }
    }
    const char **list = arena_array(arena, ids.count + 1, sizeof(*list));
    for (size_t i = 0; i < ids.count; i++) {
        list[i] = arena_copy_string(arena, ids.items[i]);
    }
    qsort(list, ids.count, sizeof(*list), compare);
    *ret_ids = list;
    *ret_count = ids.count;
    return 0;
}
