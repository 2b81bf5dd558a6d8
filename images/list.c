#include "images/list.h"

#include "images/digest.h"
#include "images/store.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"
#include "specs/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// As tags/ has it: "+" is no letter of references.
const char *list_path(const struct image_ref *ref, char path[LIST_PATH_SIZE]) {
    char folder[IMAGE_REF_NAME_MAX + 1];
    snprintf(folder, sizeof(folder), "%s", ref->name);
    for (char *at = folder; *at; at++) {
        *at = *at == '/' ? '+' : *at;
    }
    snprintf(path, LIST_PATH_SIZE, "lists/%s/%s", folder, ref->tag);
    return path;
}

bool list_name_of(const char *folder, const char *file, struct arena *arena, struct image_ref *ret) {
    char *text = arena_format(arena, "%s:%s", folder, file);
    struct err ignored;
    for (char *at = text; *at; at++) {
        *at = *at == '+' ? '/' : *at;
    }
    return image_ref_parse(arena, text, ret, &ignored) == 0 && ret->tag && !ret->digest;
}

int list_name_parse(struct arena *arena, const char *text, struct image_ref *ret, struct err *err) {
    if (image_ref_parse(arena, text, ret, err) < 0) {
        return -1;
    }
    return ret->digest ? err_set(err, ERR_INPUT, "list %s: a list is called by a name and a tag, its digest is what it has", text)
                       : 0;
}

bool list_exists(const struct store *store, const struct image_ref *ref) {
    char path[LIST_PATH_SIZE];
    return store_has(store, list_path(ref, path));
}

// --- the file ---

static const struct json_row item_rows[] = {
    ROW_STRING("name", struct list_item, name, JSON_NEEDED | JSON_NOT_EMPTY),
    ROW_STRING("image", struct list_item, image, 0),
    ROW_OBJECT("descriptor", struct list_item, descriptor, struct image_descriptor, image_descriptor_table, JSON_NEEDED),
};
static const struct json_table item_table = JSON_TABLE(struct list_item, item_rows);

static const struct json_row list_rows[] = {
    ROW_PAIRS("annotations", struct list, annotations, 0),
    ROW_LIST("items", struct list, items, struct list_item, item_table, 0),
};
static const struct json_table list_table = JSON_TABLE(struct list, list_rows);

static void write_file(const struct list *list, struct buf *text) {
    struct json_writer writer = {.buf = text, .indent = " "};
    json_write_open(&writer, NULL, '{');
    json_write_pairs(&writer, "annotations", list->annotations, list->annotations_count);
    json_write_open(&writer, "items", '[');
    for (size_t i = 0; i < list->items_count; i++) {
        json_write_open(&writer, NULL, '{');
        json_write_string(&writer, "name", list->items[i].name);
        if (list->items[i].image) {
            json_write_string(&writer, "image", list->items[i].image);
        }
        image_descriptor_write(&writer, "descriptor", &list->items[i].descriptor);
        json_write_close(&writer, '}');
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
}

int list_not_found(struct arena *arena, const struct image_ref *ref, struct err *err) {
    return err_set(err, ERR_NOT_FOUND, "list %s is not in the store; make it with \"coffer manifest create\"",
                   image_ref_familiar(arena, ref));
}

int list_is_there(struct arena *arena, const struct image_ref *ref, struct err *err) {
    return err_set(err, ERR_EXISTS, "list %s exists already; give --amend to add to it, or remove it first (coffer manifest rm)",
                   image_ref_familiar(arena, ref));
}

int list_read(const struct store *store, const struct image_ref *ref, struct arena *arena, struct list *ret, struct err *err) {
    char path[LIST_PATH_SIZE];
    struct list list = {.ref = *ref};
    AUTO_FD int fd = openat(store->fd, list_path(ref, path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? list_not_found(arena, ref, err) : err_sys(err, "open %s/%s", store->path, path);
    }
    AUTO_FREE char *text = NULL;
    size_t size;
    if (fd_read_rest(fd, JSON_MAX_BYTES, path, &text, &size, err) < 0) {
        return -1;
    }
    const struct json_document document = {.name = path, .text = text, .size = size};
    if (json_decode(&document, &list_table, arena, &list, err) < 0) {
        return -1;
    }
    *ret = list;
    return 0;
}

// --- the document ---

static const char *const media_types[] = {
    [LIST_OCI] = IMAGE_OCI_INDEX,
    [LIST_V2S2] = IMAGE_DOCKER_LIST,
};

const char *list_media_type(enum list_format format) {
    return media_types[format];
}

// Docker's lists have no annotations, and clients that know only them know no manifests but docker's. What is listed stays what it
// is, byte for byte: it has its digest.
static int check_v2s2(const struct list *list, struct err *err) {
    if (list->annotations_count > 0) {
        return err_set(err, ERR_INPUT, "--format v2s2: docker's manifest lists have no annotations, and this one has %zu",
                       list->annotations_count);
    }
    for (size_t i = 0; i < list->items_count; i++) {
        const struct image_descriptor *item = &list->items[i].descriptor;
        if (item->annotations_count > 0) {
            return err_set(err, ERR_INPUT, "--format v2s2: %s has annotations, which docker's manifest lists cannot say",
                           item->digest);
        }
        if (strncmp(item->media_type, "application/vnd.docker.", strlen("application/vnd.docker.")) != 0) {
            return err_set(err, ERR_INPUT,
                           "--format v2s2: %s is an OCI manifest, which docker's manifest lists do not list; push it as oci",
                           item->digest);
        }
    }
    return 0;
}

int list_render(const struct list *list, enum list_format format, struct buf *text, struct err *err) {
    struct json_writer writer = {.buf = text, .indent = "  "};
    if (format == LIST_V2S2 && check_v2s2(list, err) < 0) {
        return -1;
    }
    AUTO_FREE struct image_descriptor *items = mem_array(list->items_count + 1, sizeof(*items));
    for (size_t i = 0; i < list->items_count; i++) {
        items[i] = list->items[i].descriptor;
    }
    const struct image_manifest index = {
        .media_type = media_types[format],
        .manifests = items,
        .manifests_count = list->items_count,
        .annotations = list->annotations,
        .annotations_count = list->annotations_count,
    };
    image_index_write(&writer, &index);
    return 0;
}

// --- changes ---

int list_edit_begin(struct list_edit *edit, const struct store *store, const struct image_ref *ref, enum list_edit_mode mode,
                    struct err *err) {
    edit->store = store;
    if (staging_init(&edit->staging, store, err) < 0) {
        return -1;
    }
    edit->lock_fd = store_lock(store, err);
    if (edit->lock_fd < 0) {
        return -1;
    }
    if (mode == LIST_NEW && list_exists(store, ref)) {
        return list_is_there(&edit->arena, ref, err);
    }
    if (mode == LIST_NEW || (mode == LIST_EITHER && !list_exists(store, ref))) {
        edit->list = (struct list){.ref = *ref};
        return 0;
    }
    return list_read(store, ref, &edit->arena, &edit->list, err);
}

// What is written must be read again, by us and by whoever is sent it.
static int check_size(const struct list *list, const struct buf *file, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf text = {0};
    struct list again = {0};
    struct image_manifest index;
    if (list_render(list, LIST_OCI, &text, err) < 0) {
        return -1;
    }
    const struct json_document kept = {.name = "the list", .text = file->data, .size = file->size};
    const struct json_document sent = {.name = "the list", .text = text.data, .size = text.size};
    return json_decode(&kept, &list_table, &arena, &again, err) < 0 ? -1 : image_manifest_decode(&sent, NULL, &arena, &index, err);
}

static int make_folder(const struct store *store, const char *path, struct err *err) {
    return mkdirat(store->fd, path, 0700) < 0 && errno != EEXIST ? err_sys(err, "make directory %s/%s", store->path, path) : 0;
}

static int sync_folder(const struct store *store, const char *path, struct err *err) {
    AUTO_FD int fd = openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? err_sys(err, "write %s/%s to disk", store->path, path) : 0;
}

int list_edit_commit(struct list_edit *edit, struct err *err) {
    const struct store *store = edit->store;
    AUTO_BUF struct buf text = {0};
    char path[LIST_PATH_SIZE];
    write_file(&edit->list, &text);
    if (check_size(&edit->list, &text, err) < 0) {
        return -1;
    }
    list_path(&edit->list.ref, path);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (make_folder(store, "lists", err) < 0 || make_folder(store, path, err) < 0 || sync_folder(store, ".", err) < 0 ||
        sync_folder(store, "lists", err) < 0 || staging_write(&edit->staging, "list", text.data, text.size, err) < 0) {
        return -1;
    }
    AUTO_FD int fd = openat(edit->staging.fd, "list", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return err_sys(err, "write the list to disk");
    }
    *slash = '/';
    if (renameat(edit->staging.fd, "list", store->fd, path) < 0) {
        return err_sys(err, "write %s/%s", store->path, path);
    }
    *slash = '\0';
    return sync_folder(store, path, err);
}

void list_edit_finish(struct list_edit *edit) {
    fd_close(&edit->lock_fd);
    staging_finish(&edit->staging);
    arena_finish(&edit->arena);
}

int list_remove(const struct store *store, const struct image_ref *ref, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    char path[LIST_PATH_SIZE];
    AUTO_FD int lock = store_lock(store, err);
    if (lock < 0) {
        return -1;
    }
    if (unlinkat(store->fd, list_path(ref, path), 0) < 0) {
        return errno == ENOENT ? list_not_found(&arena, ref, err) : err_sys(err, "remove %s/%s", store->path, path);
    }
    *strrchr(path, '/') = '\0';
    // The last one takes the repository's folder with it.
    return unlinkat(store->fd, path, AT_REMOVEDIR) < 0 ? sync_folder(store, path, err) : sync_folder(store, "lists", err);
}
