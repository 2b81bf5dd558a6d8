// The entries themselves. Everything is made under its parent's descriptor by calls that neither follow links nor replace what is
// there, and gets its attributes in the one order that works: owner (which takes set-id bits and capabilities away), mode, extended
// attributes, times. Calls whose effect is there already are left out: most files cost open, write, utimensat and close.
#include "images/layer_xattr.h"
#include "images/unpack_state.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SPECIAL_BITS = S_ISUID | S_ISGID | S_ISVTX };

// On an open file, or by name for what cannot be opened: then the working directory is its parent.
static int set_xattr(int fd, const char *name, const struct tar_xattr *xattr) {
    return fd >= 0 ? fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0)
                   : lsetxattr(name, xattr->name, xattr->value, xattr->size, 0);
}

static int set_xattrs(struct unpack_state *state, int fd, const char *name, const struct tar_entry *entry, struct err *err) {
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tar_xattr *xattr = &entry->xattrs[i];
        if (!layer_xattr_is_wanted(xattr->name)) {
            state->result->dropped_xattrs++;
            continue;
        }
        if (set_xattr(fd, name, xattr) == 0) {
            continue;
        }
        // user.* on links and devices, or a file system without attributes. A lost capability would be a program that fails later
        // in a strange way, so that one is never lost in silence.
        if ((errno == ENOTSUP || errno == EPERM) && strcmp(xattr->name, "security.capability") != 0) {
            state->result->dropped_xattrs++;
            continue;
        }
        char quoted[QUOTE_SIZE];
        return err_sys(err, "set extended attribute %s", quote_text(xattr->name, quoted));
    }
    return 0;
}

static int set_xattrs_by_name(struct unpack_state *state, const struct unpack_target *target, struct err *err) {
    if (target->entry->xattr_count == 0) {
        return 0;
    }
    AUTO_FD int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (before < 0 || fchdir(target->parent.fd) < 0) {
        return err_sys(err, "enter its parent directory");
    }
    int failed = set_xattrs(state, -1, target->name, target->entry, err);
    if (fchdir(before) < 0) {
        return err_sys(err, "leave its parent directory");
    }
    return failed;
}

static int owner_failed(const struct tar_entry *entry, struct err *err) {
    if (errno == EINVAL) {
        return err_set(err, ERR_UNSUPPORTED, "its owner %u:%u is not mapped into this user namespace", entry->uid, entry->gid);
    }
    return err_sys(err, "set its owner to %u:%u", entry->uid, entry->gid);
}

static bool needs_owner(const struct unpack_state *state, const struct tar_entry *entry, bool other_group) {
    return !state->options->single_id && (entry->uid != state->uid || entry->gid != state->gid || other_group);
}

static int already_there(const struct unpack_target *target, struct err *err) {
    struct stat status;
    bool is_directory = fstatat(target->parent.fd, target->name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
    return err_set(err, ERR_INPUT, "is %s, but an entry before it made it %s", tar_type_name(target->entry->type),
                   is_directory ? "a directory" : "something else or the same again");
}

// Tries again when nothing but a whiteout of this layer was in the way.
static bool make_room(const struct unpack_target *target) {
    return errno == EEXIST && unpack_replace_whiteout(target->parent.fd, target->name);
}

static int create_failed(const struct unpack_target *target, struct err *err) {
    return errno == EEXIST ? already_there(target, err) : err_sys(err, "make %s", tar_type_name(target->entry->type));
}

static int write_data(struct unpack_state *state, int fd, const struct tar_entry *entry, struct err *err) {
    for (;;) {
        struct tar_piece piece;
        if (tar_data(&state->tar, &piece, err) < 0) {
            return -1;
        }
        if (piece.size == 0) {
            break;
        }
        if (entry->sparse && lseek(fd, (off_t)piece.offset, SEEK_SET) < 0) {
            return err_sys(err, "seek");
        }
        if (fd_write_all(fd, piece.data, piece.size) < 0) {
            return err_sys(err, "write");
        }
        unpack_report(state);
    }
    // A hole at the end.
    if (entry->sparse && ftruncate(fd, (off_t)entry->size) < 0) {
        return err_sys(err, "set its size to %llu", (unsigned long long)entry->size);
    }
    return 0;
}

static int make_file(struct unpack_state *state, const struct unpack_target *target, struct err *err) {
    const struct tar_entry *entry = target->entry;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    AUTO_FD int fd = -1;
    do {
        fd = openat(target->parent.fd, target->name, flags, entry->mode & 0777);
    } while (fd < 0 && make_room(target));
    if (fd < 0) {
        return create_failed(target, err);
    }
    if (write_data(state, fd, entry, err) < 0) {
        return -1;
    }
    if (needs_owner(state, entry, target->parent.other_group) && fchown(fd, entry->uid, entry->gid) < 0) {
        return owner_failed(entry, err);
    }
    if ((entry->mode & SPECIAL_BITS) && fchmod(fd, entry->mode) < 0) {
        return err_sys(err, "set its mode");
    }
    if (set_xattrs(state, fd, NULL, entry, err) < 0) {
        return -1;
    }
    const struct timespec times[2] = {entry->atime, entry->mtime};
    if (futimens(fd, times) < 0) {
        return err_sys(err, "set its times");
    }
    state->result->file_bytes += entry->size;
    return 0;
}

// Some builders repeat directories; the last entry counts. A whiteout in its place means that lower layers' children go.
static int make_or_take_directory(struct unpack_state *state, const struct unpack_target *target, mode_t mode, bool *ret_taken,
                                  struct err *err) {
    if (mkdirat(target->parent.fd, target->name, mode) == 0) {
        return 0;
    }
    if (make_room(target)) {
        if (mkdirat(target->parent.fd, target->name, mode) < 0) {
            return create_failed(target, err);
        }
        return unpack_add_opaque(state, target->path, err);
    }
    struct stat status;
    if (errno != EEXIST || fstatat(target->parent.fd, target->name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) {
        return create_failed(target, err);
    }
    *ret_taken = true;
    return 0;
}

static int set_directory_xattrs(struct unpack_state *state, const struct unpack_target *target, struct err *err) {
    if (target->entry->xattr_count == 0) {
        return 0;
    }
    AUTO_FD int fd = openat(target->parent.fd, target->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "open it") : set_xattrs(state, fd, NULL, target->entry, err);
}

static int make_directory(struct unpack_state *state, struct unpack_target *target, struct err *err) {
    const struct tar_entry *entry = target->entry;
    mode_t mode = entry->mode & (0777 | S_ISVTX);
    bool taken = false;
    if (make_or_take_directory(state, target, mode, &taken, err) < 0) {
        return -1;
    }
    if (taken) {
        unpack_parents_clear(&state->parents); // it may be in there with another group
        if (unpack_open_parent(state, target->path, target, err) < 0) {
            return -1;
        }
    }
    if ((needs_owner(state, entry, target->parent.other_group) || (taken && !state->options->single_id)) &&
        fchownat(target->parent.fd, target->name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return owner_failed(entry, err);
    }
    // A parent's set-group-id bit would come down with mkdir, but is itself set only at the end.
    if ((taken || (entry->mode & S_ISUID)) && fchmodat(target->parent.fd, target->name, mode | (entry->mode & S_ISUID), 0) < 0) {
        return err_sys(err, "set its mode");
    }
    unpack_add_dir(state, target->path, entry, false);
    return set_directory_xattrs(state, target, err);
}

int unpack_root_entry(struct unpack_state *state, const struct tar_entry *entry, struct err *err) {
    if (entry->type != TAR_DIRECTORY) {
        return err_set(err, ERR_INPUT, "is the root itself, expected a directory, found %s", tar_type_name(entry->type));
    }
    if (!state->options->single_id && fchown(state->root_fd, entry->uid, entry->gid) < 0) {
        return owner_failed(entry, err);
    }
    if (fchmod(state->root_fd, entry->mode & ~(mode_t)S_ISGID) < 0) {
        return err_sys(err, "set its mode");
    }
    unpack_parents_clear(&state->parents);
    state->root_seen = true;
    unpack_add_dir(state, ".", entry, false);
    return set_xattrs(state, state->root_fd, NULL, entry, err);
}

// Owner, mode, attributes and times of what is not opened: links, devices, fifos.
static int set_attributes_by_name(struct unpack_state *state, const struct unpack_target *target, struct err *err) {
    const struct tar_entry *entry = target->entry;
    if (needs_owner(state, entry, target->parent.other_group) &&
        fchownat(target->parent.fd, target->name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return owner_failed(entry, err);
    }
    if (entry->type != TAR_SYMLINK && (entry->mode & SPECIAL_BITS) &&
        fchmodat(target->parent.fd, target->name, entry->mode, 0) < 0) {
        return err_sys(err, "set its mode");
    }
    if (set_xattrs_by_name(state, target, err) < 0) {
        return -1;
    }
    const struct timespec times[2] = {entry->atime, entry->mtime};
    if (utimensat(target->parent.fd, target->name, times, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "set its times");
    }
    return 0;
}

static int make_symlink(struct unpack_state *state, const struct unpack_target *target, struct err *err) {
    const struct tar_entry *entry = target->entry;
    size_t length = strlen(entry->link);
    if (length == 0 || length >= PATH_MAX) {
        return err_set(err, ERR_INPUT, "its link target is empty or longer than %d bytes", PATH_MAX - 1);
    }
    int failed;
    do {
        failed = symlinkat(entry->link, target->parent.fd, target->name);
    } while (failed < 0 && make_room(target));
    return failed < 0 ? create_failed(target, err) : set_attributes_by_name(state, target, err);
}

static int make_hardlink(struct unpack_state *state, struct unpack_target *target, struct err *err) {
    char path[PATH_MAX];
    struct unpack_parent from;
    const char *name;
    struct stat status;
    if (unpack_path_clean(target->entry->link, "its link target", path, err) < 0) {
        return -1;
    }
    if (strcmp(path, ".") == 0 || strcmp(path, target->path) == 0) {
        return err_set(err, ERR_INPUT, "is a hard link to itself or to the root");
    }
    if (unpack_parents_open(&state->parents, path, &from, &name) < 0 || fstatat(from.fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT) {
            return unpack_add_link(state, target->path, path, err);
        }
        return errno == ELOOP || errno == ENOTDIR
                   ? err_set(err, ERR_INPUT, "the way to its link target goes through something that is not a directory")
                   : err_sys(err, "open its link target");
    }
    if (S_ISDIR(status.st_mode) || unpack_is_whiteout(from.fd, name)) {
        return err_set(err, ERR_INPUT, "its link target is %s", S_ISDIR(status.st_mode) ? "a directory" : "deleted by this layer");
    }
    // The parent again: opening the target's may have pushed it out of the cache. So it comes last, and both are recent.
    if (unpack_open_parent(state, target->path, target, err) < 0) {
        return -1;
    }
    int failed;
    do {
        failed = linkat(from.fd, name, target->parent.fd, target->name, 0);
    } while (failed < 0 && make_room(target));
    return failed < 0 ? create_failed(target, err) : 0;
}

static bool is_below_dev(const char *name) {
    while (*name == '/' || (name[0] == '.' && name[1] == '/')) {
        name++;
    }
    return strncmp(name, "dev/", 4) == 0;
}

static int make_node(struct unpack_state *state, const struct unpack_target *target, struct err *err) {
    const struct tar_entry *entry = target->entry;
    const mode_t formats[TAR_TYPE_COUNT] = {[TAR_CHAR] = S_IFCHR, [TAR_BLOCK] = S_IFBLK, [TAR_FIFO] = S_IFIFO};
    bool is_device = entry->type != TAR_FIFO;
    bool in_dev = is_device && state->options->devices == UNPACK_DEVICES_REFUSE && is_below_dev(entry->name);
    if (is_device && state->options->devices == UNPACK_DEVICES_REFUSE && !in_dev) {
        return err_set(err, ERR_UNSUPPORTED, "is %s, which only root can make", tar_type_name(entry->type));
    }
    // 0:0 is no device that exists, but overlayfs's own sign for a deletion.
    if (in_dev || (is_device && state->options->devices == UNPACK_DEVICES_SKIP) ||
        (entry->type == TAR_CHAR && entry->major == 0 && entry->minor == 0)) {
        state->result->skipped_devices++;
        return 0;
    }
    int failed;
    do {
        failed = mknodat(target->parent.fd, target->name, formats[entry->type] | (entry->mode & 0777),
                         makedev(entry->major, entry->minor));
    } while (failed < 0 && make_room(target));
    return failed < 0 ? create_failed(target, err) : set_attributes_by_name(state, target, err);
}

int unpack_entry(struct unpack_state *state, struct unpack_target *target, struct err *err) {
    switch (target->entry->type) {
    case TAR_FILE:
        return make_file(state, target, err);
    case TAR_DIRECTORY:
        return make_directory(state, target, err);
    case TAR_SYMLINK:
        return make_symlink(state, target, err);
    case TAR_HARDLINK:
        return make_hardlink(state, target, err);
    default:
        return make_node(state, target, err);
    }
}
