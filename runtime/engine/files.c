#include "runtime/engine/files.h"

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/container.h"
#include "runtime/engine/control.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/idrange.h"
#include "runtime/engine/live.h"
#include "runtime/engine/volume_ids.h"
#include "runtime/engine/volume_store.h"
#include "runtime/engine/volume_use.h"
#include "runtime/kernel/caps.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

void files_finish(struct files *files) {
    image_close(files->image);
    store_close(files->store);
    fd_close(&files->pidfd);
    if (files->dir.fd >= 0) {
        record_settle(&files->target.home, &files->dir);
    }
    record_dir_finish(&files->dir);
    target_finish(&files->target);
}

// --- in the caller ---

// Its volumes as they are; nothing is made for a container that is only looked at.
static int find_volumes(struct files *files, struct err *err) {
    struct home *home = &files->target.home;
    if (mount_list_read(files->target.record.mounts, &files->target.arena, &files->mounts, err) < 0) {
        return -1;
    }
    AUTO_FD int volumes_fd = volumes_open(home, err);
    return volumes_fd < 0 || volumes_lock(home, volumes_fd, err) < 0
               ? -1
               : volume_use_take(home, volumes_fd, files->target.record.remove, &files->target.arena, &files->mounts, err);
}

static int open_layers(struct files *files, struct err *err) {
    const struct record *record = &files->target.record;
    unsigned flags = files->target.home.rootless ? STORE_USER_XATTR : 0;
    if (store_open(files->engine->store, flags, &files->store, err) < 0 ||
        image_open(files->store, record->image_id, &files->image, err) < 0 || find_volumes(files, err) < 0) {
        return -1;
    }
    return live_make(&files->target.home, files->target.id, err);
}

static int open_running(struct files *files, struct err *err) {
    const struct target *target = &files->target;
    return container_open_init(target->home.oci_root, target->id, CLONE_NEWUSER | CLONE_NEWNS, &files->pidfd, &files->joined, err);
}

// It may start or end between two looks.
int files_open(struct files *files, const struct engine *engine, const char *name, struct err *err) {
    enum { ATTEMPTS = 8 };
    int result = -1;
    files->engine = engine;
    for (int i = 0; i < ATTEMPTS; i++) {
        target_finish(&files->target);
        files->target = (struct target)TARGET_NONE;
        if (target_open(&files->target, engine, name, err) < 0) {
            return -1;
        }
        if (target_state(&files->target) == RECORD_RESTARTING) {
            return target_not_running(&files->target, "open", name, err);
        }
        if (target_runs(&files->target)) {
            result = open_running(files, err);
            if (result == 0 || err->kind != ERR_STATE) {
                return result;
            }
        } else {
            result = target_lock_stopped(&files->target, &files->dir, err);
            if (result <= 0) {
                return result < 0 ? -1 : open_layers(files, err);
            }
        }
    }
    return -1;
}

// --- in the process aside ---

static int join_running(const struct files *files, struct err *err) {
    bool users = (files->joined & CLONE_NEWUSER) != 0;
    if (files->joined != 0 && setns(files->pidfd, (int)files->joined) < 0) {
        return err_sys(err, "enter the container's namespaces");
    }
    if (users) {
        (void)!setgroups(0, NULL); // the host's; denied where there are no others
        if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
            return err_sys(err, "become the container's root");
        }
    }
    return 0;
}

// Without what is mounted below it.
static int root_alone(struct err *err) {
    int fd = sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return fd < 0 ? err_sys(err, "open the container's root") : fd;
}

static int make_private(struct err *err) {
    struct mount_attr attr = {.propagation = MS_PRIVATE};
    return unshare(CLONE_NEWNS) < 0 || sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr) < 0
               ? err_sys(err, "make a mount namespace")
               : 0;
}

static int mount_layers(const struct files *files, int userns_fd, const char *place, struct err *err) {
    const char *store = files->engine->store, *id = files->target.id;
    AUTO_FREE char *layers = mem_format("%s/layers", store);
    AUTO_FREE char *upper = mem_format("%s/containers/%s/upper", store, id);
    AUTO_FREE char *work = mem_format("%s/containers/%s/work", store, id);
    AUTO_FD int base = userns_fd >= 0 ? idmapped_tree(AT_FDCWD, layers, userns_fd, false, err)
                                      : open(layers, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) {
        return userns_fd >= 0 ? -1 : err_sys(err, "open %s", layers);
    }
    if (mkdirat(files->dir.fd, "work", 0755) < 0 && errno != EEXIST) {
        return err_sys(err, "make the container's work directory");
    }
    const struct overlay overlay = {
        .base_fd = base,
        .lower = files->image->lower,
        .lower_count = files->image->lower_count,
        .upper = upper,
        .work = work,
        .directory = place,
        .user_xattr = files->store->user_xattr,
        .own_namespace = files->target.home.rootless,
    };
    AUTO_FD int root = overlay_mount(&overlay, err);
    if (root < 0) {
        return -1;
    }
    if (sys_move_mount(root, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        return err_sys(err, "attach the container's root");
    }
    return fd_take(&root);
}

// The tree of the host that is mounted; a clone. own_fd: the container's user ids; -1: the host's.
static int open_source(const struct record *record, const struct volume *volume, int own_fd, struct err *err) {
    const char *path = volume->kind == VOLUME_NAMED ? volume->path : volume->source;
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
    const struct id_range range = {.inside = 0, .outside = record->first_id, .count = IDRANGE_SIZE};
    const struct volume_ids ids = {.user = record->user, .user_namespace = own_fd >= 0, .range = &range};
    AUTO_FD int swapped = volume->swaps_owner ? volume_ids_namespace(&ids, volume, path, err) : -1;
    if (volume->swaps_owner && swapped < 0) {
        return -1;
    }
    int userns_fd = swapped >= 0 ? swapped : own_fd;
    AUTO_FD int top = open(path, O_PATH | O_CLOEXEC);
    AUTO_FD int below = top >= 0 && volume->sub_path ? root_try_open(top, volume->sub_path, O_PATH) : fd_take(&top);
    if (below < 0) {
        return err_sys(err, "open %s%s%s", path, volume->sub_path ? "/" : "", volume->sub_path ? volume->sub_path : "");
    }
    AUTO_FD int tree = userns_fd >= 0 ? idmapped_tree(below, "", userns_fd, true, err) : sys_open_tree(below, "", flags);
    if (tree < 0) {
        return userns_fd >= 0 ? err_in(err, "%s", path) : err_sys(err, "open %s", path);
    }
    struct mount_attr attr = {.attr_set = volume->read_only ? MOUNT_ATTR_RDONLY : 0, .propagation = MS_PRIVATE};
    return sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ? err_sys(err, "prepare %s", path) : fd_take(&tree);
}

// What is made belongs to the container's root, as when it starts; but by the host's, who may write in every directory of it.
static int make_mount_point(const char *path, bool directory, int root_fd, uint32_t owner, struct err *err) {
    setfsgid(owner);
    setfsuid(owner); // takes the capabilities for files, if it is another
    if (caps_raise_kept(err) < 0) {
        return -1;
    }
    int target = directory ? root_make_dir(root_fd, path, 0755, err) : root_make_file(root_fd, path, err);
    setfsuid(geteuid());
    setfsgid(getegid());
    return target;
}

static int attach_volume(const struct record *record, const struct volume *volume, int root_fd, int userns_fd, struct err *err) {
    const uint32_t owner = userns_fd >= 0 ? record->first_id : 0;
    struct stat status;
    AUTO_FD int tree = open_source(record, volume, userns_fd, err);
    if (tree < 0 || fstat(tree, &status) < 0) {
        return -1;
    }
    AUTO_FD int target = make_mount_point(volume->target, S_ISDIR(status.st_mode), root_fd, owner, err);
    if (target < 0) {
        return -1;
    }
    return sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
               ? err_sys(err, "attach %s", volume->target)
               : 0;
}

// Of what is in memory only nothing is left. A source that is gone is told when the container starts.
static int attach_volumes(const struct files *files, int root_fd, int userns_fd, struct err *err) {
    for (size_t i = 0; i < files->mounts.items_count; i++) {
        const struct volume *volume = &files->mounts.items[i];
        bool on_disk = volume->kind == VOLUME_BIND || volume->kind == VOLUME_NAMED;
        if (on_disk && attach_volume(&files->target.record, volume, root_fd, userns_fd, err) < 0) {
            if (err->errnum == ENOENT) {
                continue;
            }
            return err_in(err, "mount %s", volume->target);
        }
    }
    return 0;
}

static int mount_stopped(const struct files *files, enum files_mounts mounts, struct err *err) {
    const struct home *home = &files->target.home;
    const struct record *record = &files->target.record;
    const struct id_range range = {.inside = 0, .outside = record->first_id, .count = IDRANGE_SIZE};
    const struct idmap map = {&range, 1};
    AUTO_FREE char *place = mem_format("%s/%s", home->live_path, files->target.id);
    AUTO_FD int own = home->rootless ? home_user_namespace(home, err) : record->has_range ? userns_create(&map, &map, err) : -1;
    if (own < 0 && (home->rootless || record->has_range)) {
        return -1;
    }
    if (home->rootless && home_enter(own, err) < 0) {
        return -1;
    }
    int shift = home->rootless ? -1 : own;
    AUTO_FD int root = make_private(err) < 0 ? -1 : mount_layers(files, shift, place, err);
    if (root < 0 || (mounts == FILES_VOLUMES && attach_volumes(files, root, shift, err) < 0)) {
        return -1;
    }
    if (shift >= 0) {
        (void)!setgroups(0, NULL);
        if (home_enter(own, err) < 0) {
            return -1;
        }
    }
    return fd_take(&root);
}

int files_enter(const struct files *files, enum files_mounts mounts, struct err *err) {
    AUTO_FD int root = -1;
    if (files->pidfd < 0) {
        root = mount_stopped(files, mounts, err);
    } else if (join_running(files, err) == 0) {
        root = mounts == FILES_LAYERS ? root_alone(err) : open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (root < 0) {
        return err->kind ? -1 : err_sys(err, "open the container's root");
    }
    int readable = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return readable < 0 ? err_sys(err, "open the container's root") : readable;
}
