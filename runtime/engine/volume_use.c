#include "runtime/engine/volume_use.h"

#include "images/copytree.h"
#include "images/image.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/engine/home.h"
#include "runtime/engine/image_root.h"
#include "runtime/engine/mount_list.h"
#include "runtime/engine/volume_store.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// What --mount says of one that is missing.
static int describe(const struct volume *volume, struct arena *arena, struct stored_volume *ret, struct err *err) {
    AUTO_STRV struct strv labels = {0};
    AUTO_STRV struct strv options = {0};
    for (size_t i = 0; i < volume->create_labels_count; i++) {
        strv_add(&labels, volume->create_labels[i]);
    }
    for (size_t i = 0; i < volume->create_options_count; i++) {
        strv_add(&options, volume->create_options[i]);
    }
    const struct volume_wish wish = {.labels = &labels, .options = &options};
    *ret = (struct stored_volume){.name = volume->source, .created_s = time(NULL), .anonymous = volume->anonymous};
    return volume_describe(arena, &wish, ret, err);
}

static int take_one(int volumes_fd, bool passing, struct arena *arena, const struct volume *volume, struct stored_volume *ret,
                    struct err *err) {
    struct stored_volume wished;
    struct err missing;
    if (describe(volume, arena, &wished, err) < 0) {
        return err_in(err, "volume %s", volume->source);
    }
    if (volume_read(volumes_fd, arena, volume->source, ret, &missing) < 0) {
        *ret = wished;
        if (missing.kind == ERR_NOT_FOUND) {
            return volume_add(volumes_fd, ret, !(passing && ret->anonymous), err);
        }
        *err = missing;
        return -1;
    }
    if (volume->create_options_count > 0 && !volume_has_same_options(&wished, ret)) {
        return err_set(err, ERR_EXISTS, "volume %s exists already, with other options; leave out volume-opt, or choose another name",
                       volume->source);
    }
    return 0;
}

int volume_use_take(const struct home *home, int volumes_fd, bool passing, struct arena *arena, struct mount_list *list,
                    struct err *err) {
    for (size_t i = 0; i < list->items_count; i++) {
        struct volume *volume = &list->items[i];
        struct stored_volume stored;
        if (volume->kind == VOLUME_NAMED) {
            if (take_one(volumes_fd, passing, arena, volume, &stored, err) < 0) {
                return -1;
            }
            volume_apply_options(home, arena, &stored, volume);
        }
    }
    return 0;
}

int volume_use_sources(const struct mount_list *list, struct err *err) {
    for (size_t i = 0; i < list->items_count; i++) {
        const struct volume *volume = &list->items[i];
        struct stat status;
        if (volume->kind != VOLUME_BIND || stat(volume->source, &status) == 0 || errno != ENOENT) {
            continue; // whatever else is wrong is told when it is mounted
        }
        if (!volume->make_source) {
            return err_set(err, ERR_NOT_FOUND, "--mount: source %s does not exist; make it, or use --volume, which does",
                           volume->source);
        }
        if (dir_make(volume->source, 0755, 0755, err) < 0) {
            return err_in(err, "make the missing source %s", volume->source);
        }
    }
    return 0;
}

// --- filling one ---

struct work {
    const struct volume_filling *filling;
    const struct volume *volume;
    int folder; // STORE/volumes/NAME, locked
};

static bool is_there(int folder, const char *name) {
    struct stat status;
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

// One that may not be read is not fresh.
static bool is_empty(int folder) {
    AUTO_FD int data = openat(folder, "_data", folder_flags);
    AUTO_DIR DIR *stream = data < 0 ? NULL : dir_stream(data);
    return stream && !dir_next(stream);
}

// Returns 1 with a whole copy in _full, 0 where the image has no directory at that place.
static int make_copy(const struct work *work, struct err *err) {
    const bool single_id = work->filling->home->rootless && work->filling->home->own.single_id;
    const struct copytree_options options = {
        .devices = work->filling->home->rootless ? UNPACK_DEVICES_SKIP : UNPACK_DEVICES_MAKE,
        .single_id = single_id,
    };
    struct copytree_result ignored;
    AUTO_FREE char *place = mem_format("%s/volumes/%s", work->filling->home->store, work->volume->source);
    AUTO_FD int root = image_root_open(work->filling->home, work->filling->image, place, err);
    if (root < 0) {
        return -1;
    }
    AUTO_FD int from = root_try_open(root, work->volume->target, O_RDONLY | O_DIRECTORY);
    if (from < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, "open the image's %s", work->volume->target);
    }
    if (tree_remove(work->folder, "_fill", err) < 0) {
        return -1;
    }
    AUTO_FD int to = mkdirat(work->folder, "_fill", 0700) < 0 ? -1 : openat(work->folder, "_fill", folder_flags);
    if (to < 0) {
        return err_sys(err, "make the folder of the copy");
    }
    if (copytree(from, to, &options, &ignored, err) < 0) {
        return -1;
    }
    bool synced = !(work->filling->passing && work->volume->anonymous);
    return (synced && syncfs(to) < 0) || renameat(work->folder, "_fill", work->folder, "_full") < 0 ? err_sys(err, "keep the copy") : 1;
}

// What a container has made under the same name meanwhile stays.
static int move_copy(const struct work *work, struct err *err) {
    const bool single_id = work->filling->home->rootless && work->filling->home->own.single_id;
    AUTO_FD int full = openat(work->folder, "_full", folder_flags);
    AUTO_FD int data = openat(work->folder, "_data", folder_flags);
    AUTO_DIR DIR *stream = full < 0 || data < 0 ? NULL : dir_stream(full);
    if (!stream) {
        return err_sys(err, "open the copy");
    }
    for (const struct dirent *entry = dir_next(stream); entry; entry = dir_next(stream)) {
        if (sys_renameat2(full, entry->d_name, data, entry->d_name, RENAME_NOREPLACE) < 0 && errno != EEXIST) {
            return err_sys(err, "move the copy");
        }
    }
    return copytree_directory_attributes(full, data, single_id, err) < 0 ? -1 : tree_remove(work->folder, "_full", err);
}

static int fill(void *context, struct err *err) {
    const struct work *work = context;
    if (!is_there(work->folder, "_full")) {
        if (!is_empty(work->folder)) {
            return 0;
        }
        int made = make_copy(work, err);
        if (made <= 0) {
            return made;
        }
    }
    return move_copy(work, err);
}

static int fill_one(const struct volume_filling *filling, const struct volume *volume, struct err *err) {
    AUTO_FREE char *path = mem_format("%s/volumes/%s", filling->home->store, volume->source);
    AUTO_FD int folder = open(path, folder_flags);
    struct work work = {.filling = filling, .volume = volume, .folder = folder};
    while (folder >= 0 && flock(folder, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock volume %s", volume->source);
        }
    }
    if (folder < 0) {
        return err_sys(err, "open volume %s", volume->source);
    }
    bool wanted = filling->first && !volume->no_copy && !volume->sub_path && filling->image->lower_count > 0;
    if (!wanted && !is_there(folder, "_full")) {
        return 0;
    }
    return home_do_inside(filling->home, fill, &work, err) < 0 ? err_in(err, "fill volume %s from the image", volume->source) : 0;
}

int volume_use_fill(const struct volume_filling *filling, const struct mount_list *list, struct err *err) {
    for (size_t i = 0; i < list->items_count; i++) {
        const struct volume *volume = &list->items[i];
        struct stat status;
        if (volume->kind != VOLUME_NAMED) {
            continue;
        }
        // A directory of the host's is the host's affair.
        AUTO_FREE char *own = mem_format("%s/volumes/%s/_data", filling->home->store, volume->source);
        if (strcmp(own, volume->path) == 0) {
            if (fill_one(filling, volume, err) < 0) {
                return -1;
            }
        } else if (stat(volume->path, &status) < 0) {
            return err_sys(err, "volume %s: device %s", volume->source, volume->path);
        }
    }
    return 0;
}
