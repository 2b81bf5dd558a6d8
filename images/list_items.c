// What is in a list: adding, finding, removing; and the names of all lists.
#include "images/digest.h"
#include "images/list.h"
#include "images/store.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static bool has_digest(const struct list_item *items, size_t count, const char *digest) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(items[i].descriptor.digest, digest) == 0) {
            return true;
        }
    }
    return false;
}

int list_edit_add(struct list_edit *edit, const struct list_item *items, size_t count, struct err *err) {
    struct list *list = &edit->list;
    struct list_item *all = arena_array(&edit->arena, list->items_count + count + 1, sizeof(*all));
    size_t kept = 0;
    for (size_t i = 0; i < list->items_count; i++) {
        if (!has_digest(items, count, list->items[i].descriptor.digest)) {
            all[kept++] = list->items[i];
        }
    }
    if (kept + count > LIST_MAX_ITEMS) {
        return err_set(err, ERR_INPUT, "list %s: would have %zu items; at most %d can be listed",
                       image_ref_familiar(&edit->arena, &list->ref), kept + count, LIST_MAX_ITEMS);
    }
    if (count > 0) {
        memcpy(all + kept, items, count * sizeof(*items));
    }
    list->items = all;
    list->items_count = kept + count;
    return 0;
}

static bool stands_for(const struct list_item *item, const char *word, const char *full) {
    return strcmp(item->descriptor.digest, word) == 0 || strcmp(item->name, word) == 0 || (full && strcmp(item->name, full) == 0) ||
           (item->image && strcmp(item->image, word) == 0);
}

// "alpine:3" is kept as "docker.io/library/alpine:3".
static const char *full_name(struct arena *arena, const char *word) {
    struct image_ref ref;
    struct err ignored;
    return image_ref_parse(arena, word, &ref, &ignored) < 0 ? NULL : image_ref_full(arena, &ref);
}

int list_find(const struct list *list, const char *word, struct arena *arena, size_t *ret_first, size_t *ret_count,
              struct err *err) {
    const char *full = full_name(arena, word);
    size_t first = 0, count = 0;
    char quoted[QUOTE_SIZE];
    for (size_t i = 0; i < list->items_count; i++) {
        if (stands_for(&list->items[i], word, full)) {
            first = count++ == 0 ? i : first;
        }
    }
    if (count == 0) {
        return err_set(err, ERR_NOT_FOUND, "list %s: there is no item %s; \"coffer manifest inspect\" shows their digests",
                       image_ref_familiar(arena, &list->ref), quote_text(word, quoted));
    }
    *ret_first = first;
    *ret_count = count;
    return 0;
}

int list_edit_remove(struct list_edit *edit, const char *word, struct err *err) {
    struct list *list = &edit->list;
    size_t first, count, kept = 0;
    if (list_find(list, word, &edit->arena, &first, &count, err) < 0) {
        return -1;
    }
    const char *full = full_name(&edit->arena, word);
    for (size_t i = 0; i < list->items_count; i++) {
        if (!stands_for(&list->items[i], word, full)) {
            list->items[kept++] = list->items[i];
        }
    }
    list->items_count = kept;
    return 0;
}

const char *list_platform_text(struct arena *arena, const struct image_platform *platform) {
    if (!platform || !platform->os || !platform->architecture) {
        return "no platform";
    }
    bool has_variant = platform->variant && platform->variant[0];
    return arena_format(arena, "%s/%s%s%s", platform->os, platform->architecture, has_variant ? "/" : "",
                        has_variant ? platform->variant : "");
}

// --- names ---

struct names {
    struct arena *arena;
    struct image_ref *items;
    size_t count, room;
};

static DIR *open_stream(int dir_fd, const char *name) {
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? NULL : dir_stream(fd);
}

static void add_name(struct names *names, const char *folder, const char *tag) {
    struct image_ref ref;
    if (!list_name_of(folder, tag, names->arena, &ref)) {
        return;
    }
    if (names->count == names->room) {
        names->room = names->room ? 2 * names->room : 16;
        names->items = mem_resize(names->items, names->room, sizeof(*names->items));
    }
    names->items[names->count++] = ref;
}

static int compare(const void *a, const void *b) {
    const struct image_ref *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order ? order : strcmp(one->tag, other->tag);
}

int list_names(const struct store *store, struct arena *arena, struct image_ref **ret_names, size_t *ret_count, struct err *err) {
    struct names names = {.arena = arena};
    AUTO_DIR DIR *folders = open_stream(store->fd, "lists");
    if (!folders && errno != ENOENT) { // the first list makes it
        return err_sys(err, "list %s/lists", store->path);
    }
    for (const struct dirent *folder; folders && (folder = dir_next(folders));) {
        AUTO_DIR DIR *files = open_stream(dirfd(folders), folder->d_name);
        for (const struct dirent *file; files && (file = dir_next(files));) {
            add_name(&names, folder->d_name, file->d_name);
        }
    }
    AUTO_FREE struct image_ref *owned = names.items;
    struct image_ref *all = arena_array(arena, names.count + 1, sizeof(*all));
    if (names.count > 0) {
        qsort(owned, names.count, sizeof(*owned), compare);
        memcpy(all, owned, names.count * sizeof(*all));
    }
    *ret_names = all;
    *ret_count = names.count;
    return 0;
}
