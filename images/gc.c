// Theory of operation. Under the store's exclusive lock no image can be published, so what the records name is all that is needed.
// A process that unpacks an image holds shared locks on those layers of it that were there before; they are passed over. What is to
// go is renamed into a staging directory of our own, and removed when the store's lock is free again: a collector that dies leaves
// a staging directory like any other.
#include "images/gc.h"

#include "images/image_record.h"
#include "images/staging.h"
#include "images/store.h"
#include "images/tags.h"
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
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// Names that are needed: keys of layers, paths of blobs; sorted.
struct needed {
    const char **names;
    size_t count, room;
};

static void needed_finish(struct needed *needed) {
    free(needed->names);
}

static void need(struct needed *needed, const char *name) {
    if (needed->count == needed->room) {
        needed->room = needed->room ? 2 * needed->room : 64;
        needed->names = mem_resize(needed->names, needed->room, sizeof(*needed->names));
    }
    needed->names[needed->count++] = name;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_needed(const struct needed *needed, const char *name) {
    return needed->count > 0 && bsearch(&name, needed->names, needed->count, sizeof(*needed->names), compare);
}

static void need_blob(struct needed *needed, struct arena *arena, const char *digest) {
    char path[IMAGE_RECORD_PATH_SIZE];
    if (digest) {
        need(needed, arena_copy_string(arena, image_record_blob_path(digest, path)));
    }
}

static int find_needed(const struct store *store, struct arena *arena, struct needed *needed, struct err *err) {
    const char **ids;
    size_t count;
    if (image_record_list(store, arena, &ids, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        char path[IMAGE_RECORD_PATH_SIZE];
        struct image_record record;
        AUTO_FD int fd = image_record_open(store, image_record_path(ids[i], path), arena, &record, err);
        if (fd < 0) {
            return -1;
        }
        for (size_t layer = 0; layer < record.layers_count; layer++) {
            need(needed, record.layers[layer].key);
        }
        need_blob(needed, arena, record.id);
        need_blob(needed, arena, record.manifest);
    }
    struct tag *tags;
    if (tag_list(store, arena, &tags, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        need_blob(needed, arena, tags[i].ref.digest);
    }
    if (needed->count > 0) {
        qsort(needed->names, needed->count, sizeof(*needed->names), compare);
    }
    return 0;
}

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
        if (entry->d_name[0] == '.' || is_needed(needed, entry->d_name)) {
            continue;
        }
        AUTO_FD int fd = openat(store->layers_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
            continue; // somebody is about to need it
        }
        if (renameat(store->layers_fd, entry->d_name, staging->fd, entry->d_name) < 0) {
            return err_sys(err, "remove layer %s", entry->d_name);
        }
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
        if (entry->d_name[0] != '.' && !is_needed(needed, path) && unlinkat(store->fd, path, 0) < 0 && errno != ENOENT) {
            return err_sys(err, "remove %s", path);
        }
    }
    return 0;
}

int gc_run(const struct store *store, struct gc_result *result, struct err *err) {
    AUTO_STAGING struct staging staging = {0};
    AUTO_ARENA struct arena arena = {0};
    AUTO(needed_finish) struct needed needed = {0};
    if (staging_init(&staging, store, err) < 0) {
        return -1;
    }
    AUTO_FD int lock = store_lock(store, err);
    if (lock < 0 || find_needed(store, &arena, &needed, err) < 0 || take_layers(store, &staging, &needed, result, err) < 0 ||
        remove_blobs(store, "blobs/sha256", &needed, err) < 0 || remove_blobs(store, "blobs/sha512", &needed, err) < 0) {
        return err_in(err, "collect what no image needs");
    }
    return 0; // the lock goes first, then the staging directory with all that was moved there
}

void gc_sweep(const struct store *store) {
    // Who died may have published layers, but not yet the image that needs them.
    if (staging_sweep(store) > 0) {
        struct err err = {0};
        struct gc_result result = {0};
        if (gc_run(store, &result, &err) < 0) {
            log_warn("%s", err.text);
        }
    }
}
