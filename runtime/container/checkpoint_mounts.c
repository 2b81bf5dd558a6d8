#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/checkpoint_image.h"
#include "runtime/container/mount_options.h"
#include "runtime/container/notify.h"
#include "runtime/kernel/criu_message.h"
#include "runtime/kernel/mount_point.h"
#include "runtime/kernel/mountinfo.h"
#include "runtime/kernel/root.h"
#include "specs/oci_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOUNTINFO_MAX_BYTES = 64 << 20 };

// Something of the host that may be mounted in the container.
struct piece {
    const char *place;  // in the container, as the configuration has it: its name in the checkpoint
    const char *source; // on the host; NULL: it is a mount of the container's own
    bool device;        // only what is a device there: a mask of a directory is the container's own
    bool recursive;     // with what is mounted below the source
};

struct pieces {
    struct piece *items;
    size_t count;
};

// Nodes that a container in a user namespace has by bind mounts (plan_devices.c).
static const char *const usual_devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};

static int read_options(struct arena *arena, const struct oci_mount *mount, struct mount_options *ret, bool *ret_bind, struct err *err) {
    if (mount_options_read(arena, mount->options, mount->options_count, ret, err) < 0) {
        return -1;
    }
    bool bind = ret->bind || ret->recursive_bind || (mount->type && strcmp(mount->type, "bind") == 0);
    *ret_bind = bind && !ret->remount && mount->source;
    return 0;
}

// notify: the folder of the socket by which the container says that it is ready, which is mounted where there is one.
static int list_pieces(const struct oci_config *config, const char *bundle, const char *notify, struct arena *arena, struct pieces *ret,
                       struct err *err) {
    size_t most = config->mounts_count + config->os.masked_paths_count + config->os.devices_count + ARRAY_LEN(usual_devices) + 1;
    struct pieces pieces = {.items = arena_array(arena, most, sizeof(struct piece))};
    for (size_t i = 0; i < config->mounts_count; i++) {
        const struct oci_mount *mount = &config->mounts[i];
        struct mount_options read;
        bool bind;
        if (read_options(arena, mount, &read, &bind, err) < 0) {
            return -1;
        }
        const char *source = bind && mount->source[0] != '/' ? arena_format(arena, "%s/%s", bundle, mount->source) : mount->source;
        pieces.items[pieces.count++] = (struct piece){mount->destination, bind ? source : NULL, false, read.recursive_bind};
    }
    for (size_t i = 0; i < config->os.masked_paths_count; i++) {
        pieces.items[pieces.count++] = (struct piece){config->os.masked_paths[i], "/dev/null", true, false};
    }
    for (size_t i = 0; i < config->os.devices_count; i++) {
        pieces.items[pieces.count++] = (struct piece){config->os.devices[i].path, config->os.devices[i].path, true, false};
    }
    for (size_t i = 0; i < ARRAY_LEN(usual_devices); i++) {
        pieces.items[pieces.count++] = (struct piece){usual_devices[i], usual_devices[i], true, false};
    }
    pieces.items[pieces.count++] = (struct piece){NOTIFY_TARGET, notify, false, false};
    *ret = pieces;
    return 0;
}

// A mount in the container.
struct named {
    uint64_t id;
    const char *point;
    const char *name; // in the checkpoint; NULL: it is the container's own, and so is what is on it
};

struct naming {
    struct arena arena;
    char *text; // its mounts
    struct named *items;
    size_t count;
    struct buf *options;
};

static void naming_finish(struct naming *naming) {
    free(naming->text);
    arena_finish(&naming->arena);
}

static const struct named *find_named(const struct naming *naming, uint64_t id) {
    for (size_t i = 0; i < naming->count; i++) {
        if (naming->items[i].id == id) {
            return &naming->items[i];
        }
    }
    return NULL;
}

static void add_named(struct naming *naming, const struct named *named) {
    naming->items[naming->count++] = *named;
    if (named->name) {
        criu_put_pair(naming->options, CRIU_EXT_MOUNT, named->point, named->name);
    }
}

// What lies at its place now: whoever may mount in the container may have changed that.
static void name_piece(struct naming *naming, int root, const struct piece *piece) {
    AUTO_FD int at = root_try_open(root, piece->place, O_PATH);
    struct mount_point mount;
    struct stat status;
    if (at < 0 || mount_point_look(at, &mount) < 0 || !mount.is_root || find_named(naming, mount.id) || fstat(at, &status) < 0) {
        return;
    }
    bool outside = piece->source && (!piece->device || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode));
    AUTO_FREE char *point = mountinfo_point(naming->text, mount.id);
    if (point && strcmp(point, "/") != 0) {
        const struct named named = {mount.id, arena_copy_string(&naming->arena, point), outside ? piece->place : NULL};
        add_named(naming, &named);
    }
}

static uint64_t line_id(const char *line) {
    return strtoull(line, NULL, 10);
}

static const char *next_line(const char *line) {
    line += strcspn(line, "\n");
    return *line == '\n' ? line + 1 : line;
}

// A bind mount may have come with others on it, which are the host's as well. A mount stands behind the one it is on in the table.
static void name_submounts(struct naming *naming) {
    for (const char *line = naming->text; *line; line = next_line(line)) {
        uint64_t id = line_id(line);
        const struct named *below = find_named(naming, id) ? NULL : find_named(naming, mountinfo_parent(naming->text, id));
        AUTO_FREE char *point = below && below->name ? mountinfo_point(naming->text, id) : NULL;
        size_t length = point ? strlen(below->point) : 0;
        if (point && strncmp(point, below->point, length) == 0) {
            const char *kept = arena_copy_string(&naming->arena, point);
            const struct named named = {id, kept, arena_format(&naming->arena, "%s%s", below->name, kept + length)};
            add_named(naming, &named);
        }
    }
}

static size_t count_lines(const char *text) {
    size_t count = 0;
    for (const char *line = text; *line; line = next_line(line)) {
        count++;
    }
    return count;
}

int checkpoint_mounts_name(pid_t pid, const struct oci_config *config, struct buf *options, struct err *err) {
    AUTO(naming_finish) struct naming naming = {.options = options};
    size_t size;
    struct pieces pieces;
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/root", pid);
    AUTO_FD int root = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return err_sys(err, "open the container's root file system");
    }
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
    if (fd_read_file(AT_FDCWD, path, MOUNTINFO_MAX_BYTES, &naming.text, &size, err) < 0 ||
        list_pieces(config, "", "", &naming.arena, &pieces, err) < 0) {
        return -1;
    }
    naming.items = arena_array(&naming.arena, pieces.count + count_lines(naming.text), sizeof(*naming.items));
    for (size_t i = 0; i < pieces.count; i++) {
        name_piece(&naming, root, &pieces.items[i]);
    }
    name_submounts(&naming);
    return 0;
}

static bool lies_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/') {
        length--;
    }
    return strncmp(path, folder, length) == 0 && path[length] == '/' && path[length + 1] != '\0';
}

// What is mounted below a source on the host now.
static void bind_submounts(struct arena *arena, const char *text, const struct piece *piece, struct buf *options) {
    AUTO_FREE char *source = realpath(piece->source, NULL);
    for (const char *line = source ? text : ""; *line; line = next_line(line)) {
        AUTO_FREE char *point = mountinfo_point(line, line_id(line));
        if (point && lies_below(point, source)) {
            const char *rest = strcmp(source, "/") == 0 ? point : point + strlen(source);
            criu_put_pair(options, CRIU_EXT_MOUNT, arena_format(arena, "%s%s", piece->place, rest), point);
        }
    }
}

int checkpoint_mounts_bind(const struct oci_config *config, const char *bundle, const char *notify, struct buf *options,
                           struct err *err) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_FREE char *text = NULL;
    size_t size;
    struct pieces pieces;
    if (list_pieces(config, bundle, notify, &arena, &pieces, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < pieces.count; i++) {
        const struct piece *piece = &pieces.items[i];
        if (piece->source) {
            criu_put_pair(options, CRIU_EXT_MOUNT, piece->place, piece->source);
        }
        if (piece->recursive && !text && fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &text, &size, err) < 0) {
            return -1;
        }
        if (piece->recursive && piece->source) {
            bind_submounts(&arena, text, piece, options);
        }
    }
    return 0;
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
        struct mount_options read;
        bool bind;
        if (read_options(&arena, mount, &read, &bind, err) < 0 ||
            (!lies_in_mount(config, i) && !read.remount && make_place(root, mount, bundle, bind, &arena, err) < 0)) {
            return -1;
        }
    }
    return 0;
}
