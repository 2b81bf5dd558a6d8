// Theory of operation. Under the store's exclusive lock no image can be published, so what the records name is all that is needed.
// A process that unpacks an image holds shared locks on those layers of it that were there before; they are passed over. What is to
// go is renamed into a staging directory of our own, and removed when the store's lock is free again: a collector that dies leaves
// a staging directory like any other.
#include "images/gc.h"

#include "images/layer.h"
#include "images/needed.h"
#include "images/partial.h"
#include "images/staging.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static void close_stream(DIR **stream) {
    if (*stream) {
        closedir(*stream);
    }
}

static DIR *open_stream(const struct store *store, const char *path, struct err *err) {
    int fd = openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        err_sys(err, "list %s/%s", store->path, path);
        fd_close(&fd);
    }
    return stream;
}

static int take_layers(const struct store *store, const struct staging *staging, const struct needed *needed,
                       struct gc_result *result, struct err *err) {
    AUTO(close_stream) DIR *stream = open_stream(store, "layers", err);
    if (!stream) {
        return -1;
    }
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] == '.' || needed_has(needed, entry->d_name)) {
            continue;
        }
        AUTO_FD int fd = openat(store->layers_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
            continue; // somebody is about to need it
        }
        uint64_t bytes = layer_size(store, entry->d_name);
        if (renameat(store->layers_fd, entry->d_name, staging->fd, entry->d_name) < 0) {
            return err_sys(err, "remove layer %s", entry->d_name);
        }
        result->bytes += bytes;
        if (result->layers) {
            strv_add(result->layers, entry->d_name);
        }
    }
    return 0;
}

static int remove_blobs(const struct store *store, const char *folder, const struct needed *needed, struct err *err) {
    AUTO(close_stream) DIR *stream = open_stream(store, folder, err);
    if (!stream) {
        return -1;
    }
    for (const struct dirent *entry; (entry = readdir(stream));) {
        AUTO_FREE char *path = mem_format("%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && !needed_has(needed, path) && unlinkat(store->fd, path, 0) < 0 && errno != ENOENT) {
            return err_sys(err, "remove %s", path);
        }
    }
    return 0;
}

int gc_run(const struct store *store, struct gc_result *result, struct err *err) {
    AUTO_STAGING struct staging staging = {0};
    AUTO_ARENA struct arena arena = {0};
    AUTO_NEEDED struct needed needed = {0};
    if (staging_init(&staging, store, err) < 0) {
        return -1;
    }
    AUTO_FD int lock = store_lock(store, err);
    if (lock < 0 || needed_find(store, &arena, &needed, err) < 0 || take_layers(store, &staging, &needed, result, err) < 0 ||
        remove_blobs(store, "blobs/sha256", &needed, err) < 0 || remove_blobs(store, "blobs/sha512", &needed, err) < 0) {
        return err_in(err, "collect what no image needs");
    }
    return 0; // the lock goes first, then the staging directory with all that was moved there
}

void gc_sweep(const struct store *store) {
    uint64_t freed = 0;
    (void)partial_sweep(store, PARTIAL_MAX_AGE_S, &freed);
    // Who died may have published layers, but not yet the image that needs them.
    if (staging_sweep(store) > 0) {
        struct err err = {0};
        struct gc_result result = {0};
        if (gc_run(store, &result, &err) < 0) {
            log_warn("%s", err.text);
        }
    }
}
