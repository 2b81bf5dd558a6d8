#include "runtime/engine/image_mounts.h"

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/engine/aside.h"
#include "runtime/engine/home.h"
#include "runtime/engine/mount_list.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

int image_mounts_settle(struct store *store, struct arena *arena, struct mount_list *list, struct err *err) {
    for (size_t i = 0; i < list->items_count; i++) {
        struct volume *volume = &list->items[i];
        AUTO_IMAGE struct image *image = NULL;
        if (volume->kind != VOLUME_IMAGE) {
            continue;
        }
        if (image_open(store, volume->source, &image, err) < 0) {
            return err_in(err, "--mount type=image");
        }
        if (image->lower_count == 0) {
            return err_set(err, ERR_UNSUPPORTED, "--mount type=image: image %s has no files", volume->source);
        }
        volume->image = arena_copy_string(arena, image->id);
    }
    return 0;
}

// A single layer is a tree by itself, and overlayfs takes no less than two.
static int open_image(const struct image_mounts_request *request, const struct image *image, int userns_fd, struct err *err) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    bool single = image->lower_count == 1;
    AUTO_FREE char *path = mem_format("%s/layers%s%s", request->home->store, single ? "/" : "", single ? image->lower[0] : "");
    AUTO_FD int base = userns_fd >= 0 ? idmapped_tree(AT_FDCWD, path, userns_fd, false, err)
                       : single       ? sys_open_tree(AT_FDCWD, path, flags)
                                      : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) {
        return userns_fd >= 0 ? -1 : err_sys(err, "open %s", path);
    }
    const struct overlay overlay = {
        .base_fd = base,
        .lower = image->lower,
        .lower_count = image->lower_count,
        .directory = request->place,
        .user_xattr = request->home->rootless,
        .own_namespace = request->home->rootless,
    };
    return single ? fd_take(&base) : overlay_mount(&overlay, err);
}

// Links stay within the image.
static int open_part(const struct volume *volume, int give_tree, struct err *err) {
    AUTO_FD int tree = give_tree;
    if (tree < 0 || !volume->sub_path) {
        return fd_take(&tree);
    }
    AUTO_FD int below = root_try_open(tree, volume->sub_path, O_PATH);
    if (below < 0) {
        return err_sys(err, "open %s", volume->sub_path);
    }
    int part = sys_open_tree(below, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    return part >= 0         ? part
           : errno == EINVAL ? err_set(err, ERR_UNSUPPORTED, "this kernel cannot mount a part of an image; leave out image-subpath")
                             : err_sys(err, "open %s", volume->sub_path);
}

struct opening {
    const struct image_mounts_request *request;
    const struct volume *volume;
    const struct image *image;
    int userns_fd;
};

static int open_private(const struct opening *opening, struct err *err) {
    AUTO_FD int tree = open_part(opening->volume, open_image(opening->request, opening->image, opening->userns_fd, err), err);
    struct mount_attr attr = {.propagation = MS_PRIVATE};
    if (tree < 0) {
        return -1;
    }
    return sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ? err_sys(err, "cut it off from the host's mounts")
                                                                                : fd_take(&tree);
}

// Of an ordinary user: as root of his namespace, to whom the layers' files belong, and in a mount namespace that he may mount in.
static int open_inside(void *context, struct err *err) {
    const struct opening *opening = context;
    struct mount_attr attr = {.propagation = MS_PRIVATE};
    if (aside_enter_own(opening->request->home, err) < 0) {
        return -1;
    }
    return unshare(CLONE_NEWNS) < 0 || sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr) < 0 ? err_sys(err, "make a mount namespace")
                                                                                                 : open_private(opening, err);
}

static int open_one(const struct image_mounts_request *request, const struct volume *volume, int userns_fd, struct image_mounts *ret,
                    struct err *err) {
    AUTO_IMAGE struct image *image = NULL;
    if (image_open(request->store, volume->image, &image, err) < 0) {
        return -1;
    }
    struct opening opening = {.request = request, .volume = volume, .image = image, .userns_fd = userns_fd};
    int tree = request->home->rootless ? aside_open(open_inside, &opening, err) : open_private(&opening, err);
    if (tree < 0) {
        return -1;
    }
    ret->trees[ret->count] = (struct container_tree){.destination = volume->target, .fd = tree};
    ret->locks[ret->count++] = fd_take(&image->lock_fd);
    return 0;
}

int image_mounts_open(const struct image_mounts_request *request, struct arena *arena, struct image_mounts *ret, struct err *err) {
    AUTO_FD int own = -1;
    size_t room = request->mounts->items_count + 1;
    image_mounts_finish(ret);
    ret->trees = arena_array(arena, room, sizeof(*ret->trees));
    ret->locks = mem_array(room, sizeof(*ret->locks));
    for (size_t i = 0; i < request->mounts->items_count; i++) {
        const struct volume *volume = &request->mounts->items[i];
        if (volume->kind != VOLUME_IMAGE) {
            continue;
        }
        if (own < 0 && request->ids.count > 0 && !request->home->rootless && (own = userns_create(&request->ids, &request->ids, err)) < 0) {
            return -1;
        }
        if (open_one(request, volume, own, ret, err) < 0) {
            return err_in(err, "mount image %s on %s", volume->source, volume->target);
        }
    }
    return 0;
}

void image_mounts_close_trees(struct image_mounts *mounts) {
    for (size_t i = 0; mounts->trees && i < mounts->count; i++) {
        fd_close(&mounts->trees[i].fd);
    }
    mounts->trees = NULL;
}

void image_mounts_finish(struct image_mounts *mounts) {
    image_mounts_close_trees(mounts);
    for (size_t i = 0; mounts->locks && i < mounts->count; i++) {
        fd_close(&mounts->locks[i]);
    }
    free(mounts->locks);
    *mounts = (struct image_mounts){0};
}
