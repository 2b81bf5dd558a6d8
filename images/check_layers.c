// The layers: that they are there, and are what their descriptions and the images say.
#include "images/check_state.h"
#include "images/layer.h"
#include "images/store.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { SHA256_DIGITS = 64 };

static int compare(const void *a, const void *b) {
    return strcmp(((const struct check_layer *)a)->key, ((const struct check_layer *)b)->key);
}

static struct check_layer *find_layer(const struct check *check, const char *key) {
    const struct check_layer wanted = {.key = key};
    return check->layers_count == 0 ? NULL : bsearch(&wanted, check->layers, check->layers_count, sizeof(wanted), compare);
}

static bool has_layer(const struct check_image *image, const char *key) {
    for (size_t i = 0; i < image->record.layers_count; i++) {
        if (strcmp(image->record.layers[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

void check_damaged_layer(struct check *check, struct check_layer *layer, const char *problem) {
    AUTO_FREE char *path = mem_format("layers/%s", layer->key);
    struct check_finding *finding = check_found(check, CHECK_LAYER, path, "%s", problem);
    layer->damaged = true;
    for (size_t i = 0; i < check->images_count; i++) {
        if (check->images[i].readable && has_layer(&check->images[i], layer->key)) {
            check_concerns(check, finding, check->images[i].hex);
        }
    }
}

// The layers of the selected images, each once.
static void list_layers(struct check *check) {
    size_t total = 0, count = 0;
    for (size_t i = 0; i < check->images_count; i++) {
        total += check->images[i].record.layers_count;
    }
    check->layers = arena_array(check->arena, total + 1, sizeof(*check->layers));
    for (size_t i = 0; i < check->images_count; i++) {
        const struct check_image *image = &check->images[i];
        for (size_t layer = 0; image->selected && image->readable && layer < image->record.layers_count; layer++) {
            check->layers[count++] = (struct check_layer){.key = image->record.layers[layer].key};
        }
    }
    if (count == 0) {
        return;
    }
    qsort(check->layers, count, sizeof(*check->layers), compare);
    check->layers_count = 1;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(check->layers[i].key, check->layers[check->layers_count - 1].key) != 0) {
            check->layers[check->layers_count++] = check->layers[i];
        }
    }
}

// NULL: there is nothing wrong with it by itself.
static const char *look_at_layer(struct check *check, struct check_layer *layer, struct layer *ret) {
    struct stat status;
    struct err err = {0};
    AUTO_FREE char *prefix = mem_format("layer %s of the store %s: ", layer->key, check->store->path);
    if (check->store->layers_fd < 0 || fstatat(check->store->layers_fd, layer->key, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return "is missing";
    }
    if (!S_ISDIR(status.st_mode)) {
        return "is no directory";
    }
    AUTO_FREE char *document = mem_format("%s/layer.json", layer->key);
    if (fstatat(check->store->layers_fd, document, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode)) {
        return "layer.json is missing";
    }
    if (layer_open(check->store, layer->key, ret, &err) < 0) {
        size_t length = strlen(prefix);
        return arena_copy_string(check->arena, strncmp(err.text, prefix, length) == 0 ? err.text + length : err.text);
    }
    layer->size_bytes = ret->size_bytes;
    if (fstatat(ret->fd, "fs", &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) {
        return "its directory fs is missing";
    }
    if (!ret->needs_lower && strcmp(ret->diff_id.hex, layer->key) != 0) {
        return arena_format(check->arena, "layer.json says that it is layer %s", ret->diff_id.hex);
    }
    return NULL;
}

// What a record and a configuration say of it.
static const char *compare_with_image(struct check *check, const struct check_image *image, const struct layer *layer) {
    for (size_t i = 0; i < image->record.layers_count; i++) {
        const struct image_record_layer *recorded = &image->record.layers[i];
        if (strcmp(recorded->key, layer->key) != 0) {
            continue;
        }
        if (recorded->size_bytes != layer->size_bytes || recorded->opaque != layer->opaque) {
            return arena_format(check->arena, "layer.json says other things than the record of image %.12s", image->hex);
        }
        const char *diff_id = i < image->config.diff_ids_count ? strchr(image->config.diff_ids[i], ':') : NULL;
        if (diff_id && image->config.diff_ids_count == image->record.layers_count && strcmp(diff_id + 1, layer->diff_id.hex) != 0) {
            return arena_format(check->arena, "layer.json says that it is layer %s, the configuration of image %.12s %s",
                                layer->diff_id.hex, image->hex, diff_id + 1);
        }
    }
    return NULL;
}

static void check_layer(struct check *check, struct check_layer *layer) {
    AUTO(layer_finish) struct layer opened = {.fd = -1};
    const char *problem = look_at_layer(check, layer, &opened);
    for (size_t i = 0; i < check->images_count && !problem; i++) {
        const struct check_image *image = &check->images[i];
        problem = image->selected && image->readable ? compare_with_image(check, image, &opened) : NULL;
    }
    if (problem) {
        check_damaged_layer(check, layer, problem);
    }
}

// Who holds a lock on one is about to need it.
static void check_unneeded(struct check *check) {
    for (size_t i = 0; i < check->images_count; i++) {
        if (!check->images[i].readable) {
            return; // nobody can tell what it needs
        }
    }
    AUTO_DIR DIR *stream = check_list(check, "layers");
    for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
        if (!check_is_hex(entry->d_name, SHA256_DIGITS) || find_layer(check, entry->d_name)) {
            continue;
        }
        AUTO_FD int fd = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            AUTO_FREE char *path = mem_format("layers/%s", entry->d_name);
            check_found(check, CHECK_LEFTOVER, path, "is needed by no image");
        }
    }
}

void check_layers(struct check *check) {
    list_layers(check);
    for (size_t i = 0; i < check->layers_count; i++) {
        check_layer(check, &check->layers[i]);
    }
    if (check_is_whole(check)) {
        check_unneeded(check);
    }
}
