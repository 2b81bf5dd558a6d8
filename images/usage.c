#include "images/usage.h"

#include "images/layer.h"
#include "images/needed.h"
#include "images/partial.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

// One layer of one image; sorted by key, an image's own repetitions fall together too.
struct use {
    const char *key;
    size_t image;
    uint64_t bytes;
};

static int compare(const void *a, const void *b) {
    const struct use *one = a, *other = b;
    int order = strcmp(one->key, other->key);
    return order ? order : one->image < other->image ? -1 : one->image > other->image;
}

// The uses of one layer.
static void count_layer(struct usage *usage, const struct use *uses, size_t count) {
    bool shared = uses[0].image != uses[count - 1].image, active = false;
    for (size_t i = 0; i < count; i++) {
        struct usage_image *image = &usage->images[uses[i].image];
        active = active || image->in_use;
        if (i == 0 || uses[i].image != uses[i - 1].image) {
            *(shared ? &image->shared_bytes : &image->unique_bytes) += uses[0].bytes;
        }
    }
    usage->layers.count++;
    usage->layers.active += active;
    usage->layers.bytes += uses[0].bytes;
    usage->layers.reclaimable_bytes += active ? 0 : uses[0].bytes;
}

static void count_layers(struct usage *usage) {
    size_t total = 0, count = 0;
    for (size_t i = 0; i < usage->images_count; i++) {
        total += usage->images[i].image->record.layers_count;
    }
    AUTO_FREE struct use *uses = mem_array(total + 1, sizeof(*uses));
    for (size_t i = 0; i < usage->images_count; i++) {
        const struct image_record *record = &usage->images[i].image->record;
        for (size_t layer = 0; layer < record->layers_count; layer++) {
            uses[count++] = (struct use){.key = record->layers[layer].key, .image = i, .bytes = record->layers[layer].size_bytes};
        }
    }
    qsort(uses, count, sizeof(*uses), compare);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && strcmp(uses[i].key, uses[end].key) == 0; end++) {
        }
        count_layer(usage, uses + i, end - i);
    }
}

static void add(struct usage_part *part, uint64_t bytes, bool active) {
    part->count++;
    part->active += active;
    part->bytes += bytes;
    part->reclaimable_bytes += active ? 0 : bytes;
}

// Whether the directory's owner lives: he holds a lock on it.
static bool is_held(int parent_fd, const char *name) {
    AUTO_FD int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

struct walk {
    const struct store *store;
    const struct needed *needed;
    struct usage *usage;
};

static void count_blob(const struct walk *walk, const char *folder, int folder_fd, const char *name) {
    AUTO_FREE char *path = mem_format("%s/%s", folder, name);
    struct stat status;
    if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        add(&walk->usage->documents, (uint64_t)status.st_size, needed_has(walk->needed, path));
    }
}

static void count_stray_layer(const struct walk *walk, const char *folder, int folder_fd, const char *name) {
    (void)folder;
    if (!needed_has(walk->needed, name)) {
        add(&walk->usage->leftovers, layer_size(walk->store, name), is_held(folder_fd, name));
    }
}

static void count_staging(const struct walk *walk, const char *folder, int folder_fd, const char *name) {
    (void)folder;
    add(&walk->usage->leftovers, tree_measure(folder_fd, name), is_held(folder_fd, name));
}

static void count_partial(void *context, uint64_t bytes, bool in_use) {
    struct usage *usage = context;
    add(&usage->leftovers, bytes, in_use);
}

static int each(const struct walk *walk, const char *folder,
                void (*count)(const struct walk *walk, const char *folder, int folder_fd, const char *name), struct err *err) {
    AUTO_FD int fd = openat(walk->store->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_DIR DIR *stream = fd < 0 ? NULL : dir_stream(fd);
    if (!stream) {
        return err_sys(err, "list %s/%s", walk->store->path, folder);
    }
    for (const struct dirent *entry; (entry = dir_next(stream));) {
        count(walk, folder, fd, entry->d_name);
    }
    return 0;
}

int usage_measure(const struct store *store, struct arena *arena, struct usage *ret, struct err *err) {
    struct usage usage = {0};
    AUTO_NEEDED struct needed needed = {0};
    const struct walk walk = {.store = store, .needed = &needed, .usage = &usage};
    struct catalog_image *images;
    if (catalog_list(store, arena, &images, &usage.images_count, err) < 0 || needed_find(store, arena, &needed, err) < 0) {
        return -1;
    }
    usage.images = arena_array(arena, usage.images_count + 1, sizeof(*usage.images));
    for (size_t i = 0; i < usage.images_count; i++) {
        usage.images[i] = (struct usage_image){.image = &images[i], .in_use = catalog_in_use(store, &images[i])};
    }
    count_layers(&usage);
    if (each(&walk, "blobs/sha256", count_blob, err) < 0 || each(&walk, "blobs/sha512", count_blob, err) < 0 ||
        each(&walk, "layers", count_stray_layer, err) < 0 || each(&walk, "staging", count_staging, err) < 0) {
        return -1;
    }
    partial_each(store, count_partial, &usage);
    *ret = usage;
    return 0;
}
