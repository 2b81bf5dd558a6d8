#include "images/image.h"

#include "images/image_record.h"
#include "images/ref.h"
#include "images/store.h"
#include "images/tags.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest.h"

#include <stdlib.h>
#include <string.h>

static bool is_listed(const struct image_record *record, size_t index) {
    for (size_t i = index + 1; i < record->layers_count; i++) {
        if (strcmp(record->layers[i].key, record->layers[index].key) == 0) {
            return true;
        }
    }
    return false;
}

// Below an opaque root there is nothing to show. Of a layer that is there twice the upper one covers all that the lower one has,
// and overlayfs refuses to have it twice.
static void list_lower(struct image *image, const struct image_record *record) {
    image->lower = arena_array(&image->arena, record->layers_count + 1, sizeof(*image->lower));
    for (size_t i = record->layers_count; i-- > 0;) {
        if (is_listed(record, i)) {
            continue;
        }
        image->lower[image->lower_count++] = arena_format(&image->arena, "%s/fs", record->layers[i].key);
        if (record->layers[i].opaque) {
            break;
        }
    }
    for (size_t i = 0; i < record->layers_count; i++) {
        image->size_bytes += record->layers[i].size_bytes;
    }
}

static int open_path(const struct store *store, const char *path, bool locks, struct image *image, struct err *err) {
    struct image_record record;
    if (!locks) {
        if (image_record_read(store, path, &image->arena, &record, err) < 0) {
            return -1;
        }
    } else {
        image->lock_fd = image_record_open(store, path, &image->arena, &record, err);
        if (image->lock_fd < 0) {
            return -1;
        }
    }
    image->id = record.id;
    image->manifest = record.manifest;
    image->loaded = record.loaded;
    image->config = record.config;
    list_lower(image, &record);
    return 0;
}

// By the beginning of an id. 1 with *ret_id, which is in the arena; 0 when there is none.
static int find_by_prefix(const struct store *store, const char *name, const char *prefix, struct arena *arena, const char **ret_id,
                          struct err *err) {
    const char **ids;
    size_t count, found = 0;
    if (image_record_list(store, arena, &ids, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strncmp(ids[i], prefix, strlen(prefix)) == 0) {
            *ret_id = ids[i];
            found++;
        }
    }
    if (found > 1) {
        return err_set(err, ERR_INPUT, "%s is the beginning of %zu images' ids; give more digits", name, found);
    }
    return (int)found;
}

int image_find(const struct store *store, const char *name, struct arena *arena, const char **ret_path, struct image_ref *ret_ref,
               struct err *err) {
    char path[TAG_PATH_SIZE], record[IMAGE_RECORD_PATH_SIZE];
    struct err wrong = {0};
    *ret_ref = (struct image_ref){0};
    int result = image_ref_parse(arena, name, ret_ref, &wrong);
    if (result == 0 && store_has(store, tag_path(ret_ref, path))) {
        *ret_path = arena_copy_string(arena, path);
        return 0;
    }
    const char *hex, *id = NULL;
    if (image_id_like(name, &hex)) {
        int found = find_by_prefix(store, name, hex, arena, &id, err);
        if (found < 0) {
            return -1;
        }
        if (found > 0) {
            *ret_path = arena_copy_string(arena, image_record_path(id, record));
            *ret_ref = (struct image_ref){0};
            return 0;
        }
    } else if (result < 0) {
        *err = wrong;
        return -1;
    }
    char quoted[QUOTE_SIZE];
    return err_set(err, ERR_NOT_FOUND, "image %s is not in the store; load one with \"coffer load\" or \"coffer pull\"",
                   result < 0 ? quote_text(name, quoted) : image_ref_familiar(arena, ret_ref));
}

static int open_image(const struct store *store, const char *name, bool locks, struct image **ret_image, struct err *err) {
    AUTO_IMAGE struct image *image = mem_alloc(sizeof(*image));
    image->lock_fd = -1;
    image->name = arena_copy_string(&image->arena, name);
    const char *path;
    struct image_ref ref;
    if (image_find(store, name, &image->arena, &path, &ref, err) < 0) {
        return -1;
    }
    if (open_path(store, path, locks, image, err) < 0) {
        return err_in(err, "image %s", name);
    }
    image->manifest = ref.digest ? ref.digest : image->manifest;
    *ret_image = image;
    image = NULL;
    return 0;
}

int image_open(struct store *store, const char *name, struct image **ret_image, struct err *err) {
    return open_image(store, name, true, ret_image, err);
}

int image_look(const struct store *store, const char *name, struct image **ret_image, struct err *err) {
    return open_image(store, name, false, ret_image, err);
}

int image_check_platform(struct image *image, const char *wish, struct err *err) {
    const struct image_platform has = {
        .os = image->config.os ? image->config.os : "linux",
        .architecture = image->config.architecture ? image->config.architecture : "unknown",
        .variant = image->config.variant,
    };
    struct image_platform wanted;
    if (image_platform_parse(&image->arena, wish, &wanted, err) < 0) {
        return err_in(err, "--platform");
    }
    return image_platform_rank(&has, &wanted) > 0
               ? 0
               : err_set(err, ERR_NOT_FOUND, "--platform %s: image %s is in the store for %s/%s%s%s", wish, image->name, has.os,
                         has.architecture, has.variant ? "/" : "", has.variant ? has.variant : "");
}

void image_close(struct image *image) {
    if (image) {
        fd_close(&image->lock_fd);
        arena_finish(&image->arena);
        free(image);
    }
}

void image_cleanup(struct image **image) {
    image_close(*image);
    *image = NULL;
}
