#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/checkpoint_image.h"
#include "runtime/container/mount_options.h"
#include "runtime/kernel/criu_message.h"
#include "runtime/kernel/mountinfo.h"
#include "runtime/kernel/root.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOUNTINFO_MAX_BYTES = 64 << 20 };

// Something of the host that may be mounted in the container.
struct piece {
    const char *place;  // in the container, as the configuration has it: its name in the checkpoint
    const char *source; // on the host
    bool device;        // only what is a device there: a mask of a directory is the container's own
};

struct pieces {
    struct piece *items;
    size_t count;
};

// Nodes that a container in a user namespace has by bind mounts (plan_devices.c).
static const char *const usual_devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};

static int is_bind(struct arena *arena, const struct oci_mount *mount, bool *ret, struct err *err) {
    struct mount_options options;
    if (mount_options_read(arena, mount->options, mount->options_count, &options, err) < 0) {
        return -1;
    }
    *ret = options.bind || options.recursive_bind || (mount->type && strcmp(mount->type, "bind") == 0);
    return 0;
}

static int list_pieces(const struct oci_config *config, const char *bundle, struct arena *arena, struct pieces *ret, struct err *err) {
    size_t most = config->mounts_count + config->os.masked_paths_count + config->os.devices_count + ARRAY_LEN(usual_devices);
    struct pieces pieces = {.items = arena_array(arena, most, sizeof(struct piece))};
    for (size_t i = 0; i < config->mounts_count; i++) {
        const struct oci_mount *mount = &config->mounts[i];
        bool bind;
        if (is_bind(arena, mount, &bind, err) < 0) {
            return -1;
        }
        if (bind && mount->source) {
            const char *source = mount->source[0] == '/' ? mount->source : arena_format(arena, "%s/%s", bundle, mount->source);
            pieces.items[pieces.count++] = (struct piece){mount->destination, source, false};
        }
    }
    for (size_t i = 0; i < config->os.masked_paths_count; i++) {
        pieces.items[pieces.count++] = (struct piece){config->os.masked_paths[i], "/dev/null", true};
    }
    for (size_t i = 0; i < config->os.devices_count; i++) {
        pieces.items[pieces.count++] = (struct piece){config->os.devices[i].path, config->os.devices[i].path, true};
    }
    for (size_t i = 0; i < ARRAY_LEN(usual_devices); i++) {
        pieces.items[pieces.count++] = (struct piece){usual_devices[i], usual_devices[i], true};
    }
    *ret = pieces;
    return 0;
}

// Of a device only what is mounted on itself: a node in the container's own /dev is that file system's.
static bool is_own_mount(const struct piece *piece, const char *point, int at) {
    const char *slash = strrchr(piece->place, '/'), *name = slash ? slash + 1 : piece->place, *end = strrchr(point, '/');
    struct stat status;
    return !piece->device || (end && strcmp(end + 1, name) == 0 && fstat(at, &status) == 0 &&
                              (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)));
}

int checkpoint_mounts_name(pid_t pid, const struct oci_config *config, struct buf *options, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_FREE char *text = NULL;
    size_t size;
    struct pieces pieces;
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/root", pid);
    AUTO_FD int root = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return err_sys(err, "open the container's root file system");
    }
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
    if (fd_read_file(AT_FDCWD, path, MOUNTINFO_MAX_BYTES, &text, &size, err) < 0 || list_pieces(config, "", &arena, &pieces, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < pieces.count; i++) {
        const struct piece *piece = &pieces.items[i];
        AUTO_FD int at = root_try_open(root, piece->place, O_PATH);
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", at);
        AUTO_FREE char *point = at < 0 ? NULL : mountinfo_point(text, mountinfo_id(path));
        if (point && strcmp(point, "/") != 0 && is_own_mount(piece, point, at)) {
            criu_put_pair(options, CRIU_EXT_MOUNT, point, piece->place);
        }
    }
    return 0;
}

int checkpoint_mounts_bind(const struct oci_config *config, const char *bundle, struct buf *options, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    struct pieces pieces;
    if (list_pieces(config, bundle, &arena, &pieces, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < pieces.count; i++) {
        criu_put_pair(options, CRIU_EXT_MOUNT, pieces.items[i].place, pieces.items[i].source);
    }
    return 0;
}

static bool lies_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    return strncmp(path, folder, length) == 0 && path[length] == '/' && path[length + 1] != '\0';
}

// Places in another mount are that one's: criu brings them back with it, or they are the host's.
static bool lies_in_mount(const struct oci_config *config, size_t index) {
    for (size_t i = 0; i < config->mounts_count; i++) {
        if (i != index && lies_below(config->mounts[index].destination, config->mounts[i].destination)) {
            return true;
        }
    }
    return false;
}

static int make_place(int root, const struct oci_mount *mount, const char *bundle, bool bind, struct arena *arena, struct err *err) {
    struct stat status = {.st_mode = S_IFDIR};
    if (bind) {
        const char *source = mount->source[0] == '/' ? mount->source : arena_format(arena, "%s/%s", bundle, mount->source);
        if (stat(source, &status) < 0) {
            return err_sys(err, "mount %s: find its source %s", mount->destination, source);
        }
    }
    AUTO_FD int place = S_ISDIR(status.st_mode) ? root_make_dir(root, mount->destination, 0755, err)
                                                : root_make_file(root, mount->destination, err);
    return place < 0 ? -1 : 0;
}

int checkpoint_mounts_prepare(const struct oci_config *config, const char *bundle, const char *rootfs, struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_FD int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return err_sys(err, "open the root file system %s", rootfs);
    }
    for (size_t i = 0; i < config->mounts_count; i++) {
        const struct oci_mount *mount = &config->mounts[i];
        bool bind;
        if (is_bind(&arena, mount, &bind, err) < 0 ||
            (!lies_in_mount(config, i) && (!bind || mount->source) && make_place(root, mount, bundle, bind, &arena, err) < 0)) {
            return -1;
        }
    }
    return 0;
}
