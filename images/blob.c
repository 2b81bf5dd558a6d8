#include "images/blob.h"

#include "images/digest.h"
#include "images/image_record.h"
#include "images/source.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "specs/json.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int blob_read(const struct store *store, const char *digest, struct arena *arena, struct source_document *ret, struct err *err) {
    struct source_document document = {0};
    struct digest found;
    char path[IMAGE_RECORD_PATH_SIZE], text[DIGEST_TEXT_SIZE];
    if (digest_parse(digest, &document.digest, err) < 0) {
        return -1;
    }
    AUTO_FD int fd = openat(store->fd, image_record_blob_path(digest, path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "%s is not in the store", path)
                               : err_sys(err, "open %s/%s", store->path, path);
    }
    AUTO_FREE char *data = NULL;
    if (fd_read_rest(fd, JSON_MAX_BYTES, path, &data, &document.size, err) < 0) {
        return -1;
    }
    digest_of(document.digest.algorithm, data, document.size, &found);
    if (!digest_equal(&found, &document.digest)) {
        return err_set(err, ERR_CORRUPT, "%s/%s is damaged: its digest is %s", store->path, path, digest_format(&found, text));
    }
    document.text = arena_copy(arena, data, document.size);
    *ret = document;
    return 0;
}

int blob_read_config(const struct store *store, const char *id, struct arena *arena, struct image_config *ret, struct err *err) {
    struct source_document blob;
    if (blob_read(store, id, arena, &blob, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = id, .text = blob.text, .size = blob.size};
    return image_config_decode(&document, arena, ret, err);
}
