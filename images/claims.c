#include "images/claims.h"

#include "images/image_record.h"
#include "images/mounts.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

void claims_finish(struct claims *claims) {
    for (size_t i = 0; i < claims->count; i++) {
        fd_close(&claims->fds[i]);
    }
    free(claims->fds);
    *claims = (struct claims){0};
}

static bool has_any(const struct image_record *record, const struct strv *layers) {
    for (size_t i = 0; i < record->layers_count; i++) {
        if (strv_has(layers, record->layers[i].key)) {
            return true;
        }
    }
    return false;
}

// Whether the record has to be claimed.
static bool is_wanted(const struct store *store, const char *hex, const char *image, const struct strv *layers) {
    AUTO_ARENA struct arena arena = {0};
    char path[IMAGE_RECORD_PATH_SIZE];
    struct image_record record;
    struct stat status;
    struct err err = {0};
    if (strcmp(hex, image) == 0) {
        return true;
    }
    image_record_path(hex, path);
    if (fstatat(store->fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode)) {
        return false; // gone, or what nobody can run
    }
    return image_record_read(store, path, &arena, &record, &err) < 0 ? err.kind != ERR_NOT_FOUND : has_any(&record, layers);
}

static int claim(const struct store *store, const char *hex, struct claims *claims, struct err *err) {
    char path[IMAGE_RECORD_PATH_SIZE];
    AUTO_FD int fd = openat(store->fd, image_record_path(hex, path), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : err_sys(err, "open %s/%s", store->path, path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? err_set(err, ERR_STATE, "image %.12s is in use by a running container; stop it first", hex)
                                    : err_sys(err, "lock %s/%s", store->path, path);
    }
    if (store->mounts_path && mounts_has(store->mounts_path, hex)) {
        return err_set(err, ERR_STATE, "image %.12s is mounted; unmount it first (coffer image unmount)", hex);
    }
    claims->fds[claims->count++] = fd_take(&fd);
    return 0;
}

int claims_take(const struct store *store, const char *image, const struct strv *layers, struct claims *claims, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    const char **ids;
    size_t count;
    if (image_record_list(store, &arena, &ids, &count, err) < 0) {
        return -1;
    }
    claims->fds = mem_array(count + 1, sizeof(*claims->fds));
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(store, ids[i], image, layers) && claim(store, ids[i], claims, err) < 0) {
            return -1;
        }
    }
    return 0;
}
