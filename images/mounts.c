#include "images/mounts.h"

#include "images/image.h"
#include "images/image_record.h"
#include "images/store.h"
#include "runtime/base/arena.h"
#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/mount_point.h"
#include "runtime/kernel/namespace.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = DIGEST_HEX_MAX + 32, UNMOUNT_NOFOLLOW = 8 /* UMOUNT_NOFOLLOW, umount2(2) */ };

void mounts_finish(struct mounts *mounts) {
    fd_close(&mounts->fd);
    fd_close(&mounts->lock_fd);
}

// --- namespaces ---

// Whether `coffer unshare`, or what it has become, still lives.
static bool is_held(int folder_fd, uint64_t space, bool *ret_known) {
    char name[NAME_SIZE];
    snprintf(name, sizeof(name), ".namespace.%llu", (unsigned long long)space);
    AUTO_FD int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    *ret_known = fd >= 0;
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

// Root's other namespaces have nobody who holds anything, but he sees all processes.
static bool space_lives(int folder_fd, uint64_t space) {
    bool known, held = is_held(folder_fd, space, &known);
    return known ? held : namespace_has_process(CLONE_NEWNS, space);
}

// --- notes ---

static const char *note_name(const char *hex, uint64_t space, char name[NAME_SIZE]) {
    snprintf(name, NAME_SIZE, "%s.%llu", hex, (unsigned long long)space);
    return name;
}

// "HEX.NUMBER" into its parts, and "HEX" with the number 0. False for other names.
static bool parse_name(const char *name, char ret_hex[DIGEST_HEX_MAX + 1], uint64_t *ret_space) {
    size_t length = strspn(name, "0123456789abcdef");
    if (length == 0 || length > DIGEST_HEX_MAX) {
        return false;
    }
    memcpy(ret_hex, name, length);
    ret_hex[length] = '\0';
    *ret_space = 0;
    if (!name[length]) {
        return true;
    }
    char *end;
    *ret_space = strtoull(name + length + 1, &end, 10);
    return name[length] == '.' && !*end && *ret_space > 0;
}

static unsigned read_note(int folder_fd, const char *hex, uint64_t space) {
    char name[NAME_SIZE], text[16] = "";
    AUTO_FD int fd = openat(folder_fd, note_name(hex, space, name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static int write_note(const struct mounts *mounts, const char *hex, unsigned count, struct err *err) {
    char name[NAME_SIZE], text[16];
    int size = snprintf(text, sizeof(text), "%u\n", count);
    return fd_replace_file(mounts->fd, note_name(hex, mounts->space, name), text, (size_t)size, 0600, err);
}

// In our own namespace.
static bool is_mounted(int folder_fd, const char *hex) {
    AUTO_FD int fd = openat(folder_fd, hex, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct mount_point point;
    return fd >= 0 && mount_point_look(fd, &point) == 0 && point.is_root;
}

static bool is_true(int folder_fd, const char *hex, uint64_t space, uint64_t own) {
    return space == own ? is_mounted(folder_fd, hex) : space_lives(folder_fd, space);
}

static int list_names(int folder_fd, struct strv *names) {
    AUTO_DIR DIR *stream = dir_stream(folder_fd);
    if (!stream) {
        return -1;
    }
    for (const struct dirent *entry; (entry = dir_next(stream));) {
        strv_add(names, entry->d_name);
    }
    return errno ? -1 : 0;
}

static void remove_dead_space(const struct mounts *mounts, const char *name) {
    bool known;
    char *end;
    uint64_t space = strtoull(strrchr(name, '.') + 1, &end, 10);
    if (!*end && !is_held(mounts->fd, space, &known) && known) {
        unlinkat(mounts->fd, name, 0);
    }
}

// A directory goes with its last note only: its removal would take away what other namespaces have mounted there.
static void repair(const struct mounts *mounts, const struct strv *names) {
    char hex[DIGEST_HEX_MAX + 1], other[DIGEST_HEX_MAX + 1];
    uint64_t space;
    AUTO_STRV struct strv noted = {0};
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        if (!parse_name(name, hex, &space)) {
            if (strncmp(name, ".namespace.", 11) == 0) {
                remove_dead_space(mounts, name);
            } else if (strstr(name, ".new")) { // of a note that was being written
                unlinkat(mounts->fd, name, 0);
            }
        } else if (space > 0 && !is_true(mounts->fd, hex, space, mounts->space)) {
            unlinkat(mounts->fd, name, 0);
        } else if (space > 0) {
            strv_add(&noted, hex);
        }
    }
    for (size_t i = 0; i < names->count; i++) {
        bool needed = !parse_name(names->items[i], other, &space) || space > 0;
        for (size_t k = 0; k < noted.count && !needed; k++) {
            needed = strcmp(noted.items[k], other) == 0;
        }
        if (!needed && !is_mounted(mounts->fd, other)) {
            unlinkat(mounts->fd, other, AT_REMOVEDIR);
        }
    }
}

// --- the folder ---

int mounts_open(const char *path, struct mounts *ret, struct err *err) {
    AUTO_MOUNTS struct mounts mounts = {.path = path, .fd = -1, .lock_fd = -1};
    AUTO_STRV struct strv names = {0};
    mounts.fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (mounts.fd < 0 && errno == ENOENT) {
        // As the other folders of run-time state: an ordinary user's is sticky, so that it is never cleaned away.
        if (dir_make(path, geteuid() == 0 ? 0711 : 01700, 0700, err) < 0) {
            return -1;
        }
        mounts.fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    mounts.lock_fd = mounts.fd < 0 ? -1 : openat(mounts.fd, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (mounts.lock_fd < 0) {
        return err_sys(err, "open the folder of mounted images, %s", path);
    }
    while (flock(mounts.lock_fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock %s", path);
        }
    }
    if (namespace_own(CLONE_NEWNS, &mounts.space, err) < 0) {
        return -1;
    }
    if (list_names(mounts.fd, &names) < 0) {
        return err_sys(err, "list %s", path);
    }
    repair(&mounts, &names);
    *ret = mounts;
    mounts.fd = mounts.lock_fd = -1;
    return 0;
}

int mounts_hold(const char *path, struct err *err) {
    AUTO_MOUNTS struct mounts mounts = {.fd = -1, .lock_fd = -1};
    char name[NAME_SIZE];
    if (mounts_open(path, &mounts, err) < 0) {
        return -1;
    }
    snprintf(name, sizeof(name), ".namespace.%llu", (unsigned long long)mounts.space);
    AUTO_FD int fd = openat(mounts.fd, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0 || fcntl(fd, F_SETFD, 0) < 0) {
        return err_sys(err, "hold the mount namespace in %s", path);
    }
    return fd_take(&fd);
}

// --- mounting ---

static int open_empty(const struct mounts *mounts, struct err *err) {
    if (mkdirat(mounts->fd, ".empty", 0755) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s/.empty", mounts->path);
    }
    int fd = sys_open_tree(mounts->fd, ".empty", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    return fd < 0 ? err_sys(err, "open %s/.empty", mounts->path) : fd;
}

// The image as a detached mount.
static int open_image(const struct mounts *mounts, const struct store *store, const struct image *image, const char *path,
                      struct err *err) {
    AUTO_FD int empty = open_empty(mounts, err);
    if (empty < 0 || image->lower_count == 0) {
        return fd_take(&empty);
    }
    AUTO_FREE char *bottom = mem_format("%s/.empty", mounts->path);
    const struct overlay overlay = {
        .base_fd = store->layers_fd,
        .lower = image->lower,
        .lower_count = image->lower_count,
        .bottom = image->lower_count == 1 ? bottom : NULL,
        .user_xattr = store->user_xattr,
        .directory = path,
    };
    return overlay_mount(&overlay, err);
}

static int attach(const struct mounts *mounts, const struct store *store, const struct image *image, const char *hex,
                  const char *path, struct err *err) {
    if (mkdirat(mounts->fd, hex, 0700) < 0 && errno != EEXIST) {
        return err_sys(err, "make directory %s", path);
    }
    AUTO_FD int place = openat(mounts->fd, hex, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0) {
        return err_sys(err, "open %s", path);
    }
    AUTO_FD int tree = open_image(mounts, store, image, path, err);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (tree < 0) {
        return -1;
    }
    if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0 ||
        sys_move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "mount it at %s", path);
    }
    return 0;
}

static void remove_traces(const struct mounts *mounts, const char *hex) {
    AUTO_STRV struct strv names = {0};
    char note[NAME_SIZE];
    unlinkat(mounts->fd, note_name(hex, mounts->space, note), 0);
    if (list_names(mounts->fd, &names) == 0) {
        repair(mounts, &names);
    }
}

static int check_space(const struct mounts *mounts, struct err *err) {
    bool known;
    return userns_is_initial() || is_held(mounts->fd, mounts->space, &known)
               ? 0
               : err_set(err, ERR_STATE,
                         "nobody says how long mounts last in this user namespace; enter one by \"coffer unshare\"");
}

int mounts_add(const struct mounts *mounts, struct store *store, const char *name, struct arena *arena, struct image_mount *ret,
               struct err *err) {
    AUTO_IMAGE struct image *image = NULL; // with a lock, which keeps it from being removed until we are through
    if (check_space(mounts, err) < 0 || image_open(store, name, &image, err) < 0) {
        return -1;
    }
    const char *hex = arena_copy_string(arena, image_record_hex(image->id));
    const struct image_mount mount = {
        .id = hex,
        .path = arena_format(arena, "%s/%s", mounts->path, hex),
        .count = read_note(mounts->fd, hex, mounts->space) + 1,
    };
    bool mounted = is_mounted(mounts->fd, hex);
    if (write_note(mounts, hex, mount.count, err) < 0 || (!mounted && attach(mounts, store, image, hex, mount.path, err) < 0)) {
        if (!mounted) {
            remove_traces(mounts, hex);
        }
        return err_in(err, "image %s", name);
    }
    *ret = mount;
    return 0;
}

int mounts_drop(const struct mounts *mounts, const char *hex, bool force, struct err *err) {
    unsigned count = read_note(mounts->fd, hex, mounts->space);
    if (!is_mounted(mounts->fd, hex)) {
        return mounts_has(mounts->path, hex)
                   ? err_set(err, ERR_STATE,
                             "it is mounted in another mount namespace, by \"coffer unshare\" perhaps: unmount it there")
                   : err_set(err, ERR_STATE, "it is not mounted");
    }
    if (count > 1 && !force) {
        return write_note(mounts, hex, count - 1, err);
    }
    AUTO_FREE char *path = mem_format("%s/%s", mounts->path, hex);
    if (sys_umount2(path, UNMOUNT_NOFOLLOW | (force ? MNT_DETACH : 0)) < 0) {
        return errno == EBUSY ? err_set(err, ERR_STATE, "somebody uses files in %s; end what does, or use --force", path)
                              : err_sys(err, "unmount %s", path);
    }
    remove_traces(mounts, hex);
    return 0;
}

// --- looking ---

static int compare(const void *a, const void *b) {
    return strcmp(((const struct image_mount *)a)->id, ((const struct image_mount *)b)->id);
}

int mounts_list(const struct mounts *mounts, struct arena *arena, struct image_mount **ret, size_t *ret_count, struct err *err) {
    AUTO_STRV struct strv names = {0};
    char hex[DIGEST_HEX_MAX + 1];
    uint64_t space;
    size_t count = 0;
    if (list_names(mounts->fd, &names) < 0) {
        return err_sys(err, "list %s", mounts->path);
    }
    struct image_mount *list = arena_array(arena, names.count + 1, sizeof(*list));
    for (size_t i = 0; i < names.count; i++) {
        if (parse_name(names.items[i], hex, &space) && space == 0 && is_mounted(mounts->fd, hex)) {
            list[count++] = (struct image_mount){
                .id = arena_copy_string(arena, hex),
                .path = arena_format(arena, "%s/%s", mounts->path, hex),
                .count = read_note(mounts->fd, hex, mounts->space),
            };
        }
    }
    qsort(list, count, sizeof(*list), compare);
    *ret = list;
    *ret_count = count;
    return 0;
}

bool mounts_has(const char *path, const char *hex) {
    AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_STRV struct strv names = {0};
    char noted[DIGEST_HEX_MAX + 1];
    uint64_t space, own = 0;
    struct err ignored = {0};
    if (fd < 0) {
        return false;
    }
    if (is_mounted(fd, hex)) {
        return true;
    }
    if (namespace_own(CLONE_NEWNS, &own, &ignored) < 0 || list_names(fd, &names) < 0) {
        return true; // what cannot be told is left alone
    }
    for (size_t i = 0; i < names.count; i++) {
        if (parse_name(names.items[i], noted, &space) && space > 0 && space != own && strcmp(noted, hex) == 0 &&
            space_lives(fd, space)) {
            return true;
        }
    }
    return false;
}
