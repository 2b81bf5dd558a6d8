#include "images/tags.h"

#include "images/digest.h"
#include "images/image_record.h"
#include "images/staging.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(TAG_PATH_SIZE > sizeof("tags//") + IMAGE_REF_NAME_MAX + DIGEST_TEXT_SIZE, "no room for a digest");
static_assert(IMAGE_REF_NAME_MAX <= NAME_MAX, "a repository does not fit a file's name");

static void swap_letter(char *text, char from, char to) {
    for (; *text; text++) {
        *text = *text == from ? to : *text;
    }
}

// "+" is no letter of references.
static void folder_name(const char *name, char folder[IMAGE_REF_NAME_MAX + 1]) {
    snprintf(folder, IMAGE_REF_NAME_MAX + 1, "%s", name);
    swap_letter(folder, '/', '+');
}

const char *tag_path(const struct image_ref *ref, char path[TAG_PATH_SIZE]) {
    char folder[IMAGE_REF_NAME_MAX + 1];
    folder_name(ref->name, folder);
    snprintf(path, TAG_PATH_SIZE, "tags/%s/%s", folder, ref->digest ? ref->digest : ref->tag);
    return path;
}

int tag_set(const struct store *store, const struct staging *staging, const struct image_ref *ref, const char *image_hex,
            struct err *err) {
    char path[TAG_PATH_SIZE], record[IMAGE_RECORD_PATH_SIZE];
    tag_path(ref, path);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (mkdirat(store->fd, path, 0700) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s/%s", store->path, path);
    }
    *slash = '/';
    AUTO_FREE char *target = mem_format("../../%s", image_record_path(image_hex, record));
    if ((unlinkat(staging->fd, "tag", 0) < 0 && errno != ENOENT) || symlinkat(target, staging->fd, "tag") < 0 ||
        renameat(staging->fd, "tag", store->fd, path) < 0) {
        return err_sys(err, "write %s/%s", store->path, path);
    }
    return 0;
}

int tag_sync(const struct store *store, const struct image_ref *ref, struct err *err) {
    char path[TAG_PATH_SIZE];
    tag_path(ref, path);
    *strrchr(path, '/') = '\0';
    AUTO_FD int fd = openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? err_sys(err, "write %s/%s to disk", store->path, path) : 0;
}

int tag_remove(const struct store *store, const struct image_ref *ref, struct err *err) {
    char path[TAG_PATH_SIZE];
    tag_path(ref, path);
    if (unlinkat(store->fd, path, 0) < 0 && errno != ENOENT) {
        return err_sys(err, "remove %s/%s", store->path, path);
    }
    *strrchr(path, '/') = '\0';
    // The last one takes the repository's folder with it; what else it may hold keeps it.
    (void)unlinkat(store->fd, path, AT_REMOVEDIR);
    return 0;
}

struct tag_list {
    struct arena *arena;
    struct tag *items;
    size_t count, room;
};

static void close_stream(DIR **stream) {
    if (*stream) {
        closedir(*stream);
    }
}

static DIR *open_stream(int dir_fd, const char *name) {
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        fd_close(&fd);
    }
    return stream;
}

bool tag_read(int dir_fd, const char *folder, const char *file, struct arena *arena, struct tag *ret) {
    char target[IMAGE_RECORD_PATH_SIZE + 16] = "";
    ssize_t length = readlinkat(dir_fd, file, target, sizeof(target) - 1);
    static const char prefix[] = "../../images/";
    char *dot = strrchr(target, '.');
    if (length <= (ssize_t)sizeof(prefix) || strncmp(target, prefix, sizeof(prefix) - 1) != 0 || !dot) {
        return false;
    }
    *dot = '\0';
    char name[IMAGE_REF_NAME_MAX + 1];
    snprintf(name, sizeof(name), "%s", folder);
    swap_letter(name, '+', '/');
    AUTO_FREE char *text = mem_format("%s%c%s", name, strchr(file, ':') ? '@' : ':', file);
    struct err ignored;
    struct tag tag = {.image = arena_copy_string(arena, target + sizeof(prefix) - 1)};
    if (image_ref_parse(arena, text, &tag.ref, &ignored) < 0) {
        return false;
    }
    *ret = tag;
    return true;
}

// Links that lead to no record's name are not ours to judge; they are passed over.
static void add_link(struct tag_list *list, int dir_fd, const char *folder, const char *file) {
    struct tag tag;
    if (!tag_read(dir_fd, folder, file, list->arena, &tag)) {
        return;
    }
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = mem_resize(list->items, list->room, sizeof(*list->items));
    }
    list->items[list->count++] = tag;
}

static int compare_tags(const void *a, const void *b) {
    const struct image_ref *one = &((const struct tag *)a)->ref, *other = &((const struct tag *)b)->ref;
    int order = strcmp(one->name, other->name);
    if (order == 0 && !one->tag != !other->tag) {
        return one->tag ? -1 : 1;
    }
    return order ? order : one->tag ? strcmp(one->tag, other->tag) : strcmp(one->digest, other->digest);
}

int tag_list(const struct store *store, struct arena *arena, struct tag **ret_tags, size_t *ret_count, struct err *err) {
    AUTO(close_stream) DIR *folders = open_stream(store->fd, "tags");
    if (!folders) {
        return err_sys(err, "list %s/tags", store->path);
    }
    struct tag_list list = {.arena = arena};
    for (const struct dirent *folder; (folder = readdir(folders));) {
        AUTO(close_stream) DIR *files = folder->d_name[0] == '.' ? NULL : open_stream(dirfd(folders), folder->d_name);
        for (const struct dirent *file; files && (file = readdir(files));) {
            if (file->d_name[0] != '.') {
                add_link(&list, dirfd(files), folder->d_name, file->d_name);
            }
        }
    }
    AUTO_FREE struct tag *owned = list.items;
    struct tag *tags = arena_array(arena, list.count + 1, sizeof(*tags));
    if (list.count > 0) {
        qsort(list.items, list.count, sizeof(*list.items), compare_tags);
        memcpy(tags, owned, list.count * sizeof(*tags));
    }
    *ret_tags = tags;
    *ret_count = list.count;
    return 0;
}
