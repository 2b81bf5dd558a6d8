#include "images/catalog.h"

#include "images/image.h"
#include "images/mounts.h"
#include "images/staging.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void fill(struct catalog_image *image, struct arena *arena, const struct tag *tags, size_t count) {
    const char *hex = image_record_hex(image->record.id);
    image->tags = arena_array(arena, count + 1, sizeof(*image->tags));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tags[i].image, hex) == 0) {
            image->tags[image->tags_count++] = tags[i];
        }
    }
    for (size_t i = 0; i < image->record.layers_count; i++) {
        image->size_bytes += image->record.layers[i].size_bytes;
    }
}

// Times of RFC 3339 in UTC sort as text.
static int compare(const void *a, const void *b) {
    const struct image_record *one = &((const struct catalog_image *)a)->record,
                              *other = &((const struct catalog_image *)b)->record;
    int order = strcmp(other->config.created ? other->config.created : "", one->config.created ? one->config.created : "");
    return order ? order : strcmp(one->id, other->id);
}

int catalog_list(const struct store *store, struct arena *arena, struct catalog_image **ret_images, size_t *ret_count,
                 struct err *err) {
    const char **ids;
    struct tag *tags;
    size_t id_count, tag_count, count = 0;
    if (image_record_list(store, arena, &ids, &id_count, err) < 0 || tag_list(store, arena, &tags, &tag_count, err) < 0) {
        return -1;
    }
    struct catalog_image *images = arena_array(arena, id_count + 1, sizeof(*images));
    for (size_t i = 0; i < id_count; i++) {
        char path[IMAGE_RECORD_PATH_SIZE];
        struct err wrong = {0};
        if (image_record_read(store, image_record_path(ids[i], path), arena, &images[count].record, &wrong) < 0) {
            if (wrong.kind != ERR_NOT_FOUND) { // gone meanwhile
                log_warn("image %.12s: %s", ids[i], wrong.text);
            }
            continue;
        }
        fill(&images[count++], arena, tags, tag_count);
    }
    qsort(images, count, sizeof(*images), compare);
    *ret_images = images;
    *ret_count = count;
    return 0;
}

int catalog_get(const struct store *store, const char *name, struct arena *arena, struct catalog_image *ret, struct err *err) {
    const char *path;
    struct image_ref ref;
    struct tag *tags;
    size_t count;
    struct catalog_image image = {0};
    if (image_find(store, name, arena, &path, &ref, err) < 0) {
        return -1;
    }
    if (image_record_read(store, path, arena, &image.record, err) < 0 || tag_list(store, arena, &tags, &count, err) < 0) {
        return err_in(err, "image %s", name);
    }
    fill(&image, arena, tags, count);
    *ret = image;
    return 0;
}

int catalog_tag(const struct store *store, const char *name, const struct image_ref *ref, struct err *err) {
    AUTO_STAGING struct staging staging = {0};
    AUTO_ARENA struct arena arena = {0};
    struct catalog_image image;
    if (staging_init(&staging, store, err) < 0) {
        return -1;
    }
    AUTO_FD int lock = store_lock(store, err);
    if (lock < 0 || catalog_get(store, name, &arena, &image, err) < 0 ||
        tag_set(store, &staging, ref, image_record_hex(image.record.id), err) < 0) {
        return -1;
    }
    struct image_ref by_digest = *ref;
    by_digest.tag = NULL;
    by_digest.digest = image.record.manifest;
    if (image.record.manifest && tag_set(store, &staging, &by_digest, image_record_hex(image.record.id), err) < 0) {
        return -1;
    }
    return tag_sync(store, ref, err);
}

// A removal under way, with the store's lock held.
struct removing {
    const struct store *store;
    struct arena arena;
    struct catalog_image image;
    struct catalog_removal *removal;
};

static int untag(struct removing *removing, const struct image_ref *ref, struct err *err) {
    if (tag_remove(removing->store, ref, err) < 0) {
        return -1;
    }
    strv_add(removing->removal->untagged, image_ref_familiar(&removing->arena, ref));
    return 0;
}

// The digest of a repository goes with the repository's last tag.
static int untag_name(struct removing *removing, const struct image_ref *ref, struct err *err) {
    const struct catalog_image *image = &removing->image;
    bool others = false;
    if (untag(removing, ref, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < image->tags_count; i++) {
        const struct image_ref *other = &image->tags[i].ref;
        others = others || (other->tag && strcmp(other->name, ref->name) == 0 && (!ref->tag || strcmp(other->tag, ref->tag) != 0));
    }
    for (size_t i = 0; i < image->tags_count && !others && ref->tag; i++) {
        const struct image_ref *other = &image->tags[i].ref;
        if (other->digest && strcmp(other->name, ref->name) == 0 && untag(removing, other, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int untag_all(struct removing *removing, struct err *err) {
    for (size_t i = 0; i < removing->image.tags_count; i++) {
        if (untag(removing, &removing->image.tags[i].ref, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// The record's exclusive lock, which no running container lets us have, nor who is about to mount the image. What is mounted already
// holds no lock. -1 with ERR_STATE.
static int claim(const struct removing *removing, const char *name, struct err *err) {
    char path[IMAGE_RECORD_PATH_SIZE];
    image_record_path(image_record_hex(removing->image.record.id), path);
    AUTO_FD int fd = openat(removing->store->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "open %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? err_set(err, ERR_STATE, "image %s is in use by a running container; stop it first", name)
                                    : err_sys(err, "lock %s", path);
    }
    const char *mounts = removing->store->mounts_path;
    if (mounts && mounts_has(mounts, image_record_hex(removing->image.record.id))) {
        return err_set(err, ERR_STATE, "image %s is mounted; unmount it first (coffer image unmount %s)", name, name);
    }
    return fd_take(&fd);
}

static int delete_record(struct removing *removing, struct err *err) {
    char path[IMAGE_RECORD_PATH_SIZE];
    image_record_path(image_record_hex(removing->image.record.id), path);
    if (unlinkat(removing->store->fd, path, 0) < 0) {
        return err_sys(err, "remove %s/%s", removing->store->path, path);
    }
    strv_add(removing->removal->deleted, removing->image.record.id);
    return 0;
}

static bool has_other_tags(const struct catalog_image *image, const struct image_ref *ref) {
    for (size_t i = 0; i < image->tags_count; i++) {
        const struct image_ref *other = &image->tags[i].ref;
        if (other->tag && (!ref->tag || strcmp(other->tag, ref->tag) != 0 || strcmp(other->name, ref->name) != 0)) {
            return true;
        }
    }
    return false;
}

static size_t count_repositories(const struct catalog_image *image) {
    size_t count = 0;
    for (size_t i = 0; i < image->tags_count; i++) { // sorted by name
        count += i == 0 || strcmp(image->tags[i].ref.name, image->tags[i - 1].ref.name) != 0;
    }
    return count;
}

static int remove_by_name(struct removing *removing, const char *name, const struct image_ref *ref, bool force, struct err *err) {
    if (has_other_tags(&removing->image, ref)) {
        return untag_name(removing, ref, err);
    }
    AUTO_FD int claimed = claim(removing, name, err);
    if (claimed < 0) {
        return force && err->kind == ERR_STATE ? untag_name(removing, ref, err) : -1;
    }
    return untag_all(removing, err) < 0 ? -1 : delete_record(removing, err);
}

static int remove_by_id(struct removing *removing, const char *name, bool force, struct err *err) {
    if (!force && count_repositories(&removing->image) > 1) {
        return err_set(err, ERR_STATE, "image %s has names in several repositories; remove those, or use --force", name);
    }
    AUTO_FD int claimed = claim(removing, name, err);
    if (claimed < 0) {
        return -1;
    }
    return untag_all(removing, err) < 0 ? -1 : delete_record(removing, err);
}

// A digest alone is no name: it is left behind when a tag moves on.
static bool has_tag(const struct catalog_image *image) {
    for (size_t i = 0; i < image->tags_count; i++) {
        if (image->tags[i].ref.tag) {
            return true;
        }
    }
    return false;
}

static void removing_finish(struct removing *removing) {
    arena_finish(&removing->arena);
}

int catalog_remove(const struct store *store, const char *name, bool force, struct catalog_removal *removal, struct err *err) {
    AUTO(removing_finish) struct removing removing = {.store = store, .removal = removal};
    AUTO_FD int lock = store_lock(store, err);
    const char *path;
    struct image_ref ref;
    if (lock < 0 || image_find(store, name, &removing.arena, &path, &ref, err) < 0 ||
        catalog_get(store, name, &removing.arena, &removing.image, err) < 0) {
        return -1;
    }
    // catalog_get's lock on the record is gone again: the claim is for the exclusive one.
    return ref.name ? remove_by_name(&removing, name, &ref, force, err) : remove_by_id(&removing, name, force, err);
}

bool catalog_time(const char *text, int64_t *ret_s) {
    struct tm parts = {0};
    if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &parts)) {
        return false;
    }
    *ret_s = timegm(&parts);
    return true;
}

static bool has_label(const struct catalog_image *image, const char *wanted) {
    const struct image_settings *settings = &image->record.config.settings;
    size_t length = strcspn(wanted, "=");
    for (size_t i = 0; i < settings->labels_count; i++) {
        const struct text_pair *label = &settings->labels[i];
        if (strlen(label->name) == length && strncmp(label->name, wanted, length) == 0 &&
            (!wanted[length] || strcmp(label->value, wanted + length + 1) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_pruned(const struct catalog_image *image, const struct catalog_prune *prune) {
    int64_t created_s = INT64_MAX;
    bool pruned = prune->all || !has_tag(image);
    if (prune->has_until && (!catalog_time(image->record.config.created, &created_s) || created_s >= prune->until_s)) {
        return false;
    }
    for (size_t i = 0; prune->labels && prune->labels[i]; i++) {
        pruned = pruned && has_label(image, prune->labels[i]);
    }
    for (size_t i = 0; prune->unlabels && prune->unlabels[i]; i++) {
        pruned = pruned && !has_label(image, prune->unlabels[i]);
    }
    return pruned;
}

bool catalog_in_use(const struct store *store, const struct catalog_image *image) {
    const struct removing removing = {.store = store, .image = *image};
    struct err err = {0};
    AUTO_FD int claimed = claim(&removing, image->record.id, &err);
    return claimed < 0 && err.kind == ERR_STATE;
}

int catalog_prune(const struct store *store, const struct catalog_prune *prune, struct catalog_removal *removal, struct err *err) {
    AUTO(removing_finish) struct removing removing = {.store = store, .removal = removal};
    struct catalog_image *images;
    size_t count;
    AUTO_FD int lock = store_lock(store, err);
    if (lock < 0 || catalog_list(store, &removing.arena, &images, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct err in_use = {0};
        removing.image = images[i];
        if (!is_pruned(&images[i], prune)) {
            continue;
        }
        AUTO_FD int claimed = claim(&removing, images[i].record.id, &in_use);
        if (claimed >= 0 && (untag_all(&removing, err) < 0 || delete_record(&removing, err) < 0)) {
            return -1;
        }
    }
    return 0;
}
