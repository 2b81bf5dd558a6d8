#include "images/extract.h"

#include "images/inflate.h"
#include "images/input.h"
#include "images/layer_xattr.h"
#include "images/tar.h"
#include "images/unpack.h"
#include "images/unpack_path.h"
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SET_ID_BITS = S_ISUID | S_ISGID, HOLE_BYTES = 4096 };

// A directory's mode and times wait for the end: what is made in it changes them, and who may not write there makes nothing.
struct late {
    const char *path;
    size_t order;
    mode_t mode;
    struct timespec times[2];
};

struct extraction {
    const struct extract_options *options;
    int root_fd;
    struct inflate inflate;
    struct tar_reader tar;
    int parent_fd; // of the entry before, by its path
    char parent[PATH_MAX];
    struct late *late;
    size_t late_count, late_room;
    struct arena arena;
    struct extract_result *result;
};

// --- places ---

static int open_below(const struct extraction *extraction, const char *path, int flags) {
    if (extraction->options->follow) {
        return root_try_open(extraction->root_fd, path, flags);
    }
    const struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return sys_openat2(extraction->root_fd, path, &how);
}

// Whether what there is of the way to a missing directory ends in a file system of the kernel.
static bool leads_into_kernel(const struct extraction *extraction, const char *path) {
    char above[PATH_MAX];
    AUTO_FD int fd = -1;
    snprintf(above, sizeof(above), "%s", path);
    for (char *slash; fd < 0 && (slash = strrchr(above, '/'));) {
        *slash = '\0';
        fd = open_below(extraction, above, O_PATH | O_DIRECTORY);
    }
    return tree_is_of_kernel(fd >= 0 ? fd : extraction->root_fd);
}

static int of_kernel(struct err *err) {
    return err_set(err, ERR_UNSUPPORTED, "lies in a file system of the kernel, where nothing is copied to");
}

static int open_directory(const struct extraction *extraction, const char *path, struct err *err) {
    AUTO_FD int fd = open_below(extraction, path, O_PATH | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT && extraction->options->follow) {
        if (leads_into_kernel(extraction, path)) {
            return of_kernel(err); // to make one there makes control groups, for one
        }
        fd = root_make_dir(extraction->root_fd, path, 0755, err);
        if (fd < 0) {
            return -1;
        }
    }
    if (fd < 0) {
        bool link = errno == ELOOP;
        return link ? err_set(err, ERR_INPUT, "the way to it goes through a symbolic link") : err_sys(err, "open its directory");
    }
    return tree_is_of_kernel(fd) ? of_kernel(err) : fd_take(&fd);
}

// The directory that a clean path lies in: borrowed, good until the next call.
static int open_parent(struct extraction *extraction, const char *path, const char **ret_name, struct err *err) {
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    if (slash) {
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
    }
    if (extraction->parent_fd < 0 || strcmp(parent, extraction->parent) != 0) {
        fd_close(&extraction->parent_fd);
        extraction->parent_fd = open_directory(extraction, parent, err);
        memcpy(extraction->parent, parent, sizeof(parent));
    }
    return extraction->parent_fd;
}

// What the entry is called below dir_fd; "." for the root of the tar.
static int find_path(const struct extraction *extraction, const struct tar_entry *entry, char ret_path[PATH_MAX], struct err *err) {
    const struct extract_options *options = extraction->options;
    char clean[PATH_MAX];
    if (unpack_path_clean(options->name ? options->name : entry->name, "its name", clean, err) < 0) {
        return -1;
    }
    bool deeper = options->below && strcmp(clean, ".") != 0;
    int length = snprintf(ret_path, PATH_MAX, "%s%s%s", deeper ? options->below : "", deeper ? "/" : "", clean);
    return length < PATH_MAX ? 0 : err_set(err, ERR_INPUT, "its path is longer than %d bytes", PATH_MAX - 1);
}

// --- attributes ---

static bool is_wanted(const struct extraction *extraction, const char *name) {
    return layer_xattr_is_wanted(name) && (extraction->options->owners || strncmp(name, "user.", 5) == 0);
}

static int set_xattrs(const struct extraction *extraction, int fd, const struct tar_entry *entry, struct err *err) {
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tar_xattr *xattr = &entry->xattrs[i];
        if (!is_wanted(extraction, xattr->name) || fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) == 0) {
            continue;
        }
        // A lost capability would be a program that fails later in a strange way.
        if ((errno != ENOTSUP && errno != EPERM) || strcmp(xattr->name, "security.capability") == 0) {
            char quoted[QUOTE_SIZE];
            return err_sys(err, "set extended attribute %s", quote_text(xattr->name, quoted));
        }
    }
    return 0;
}

static int set_owner(const struct extraction *extraction, int fd, const struct tar_entry *entry, struct err *err) {
    if (!extraction->options->owners || fchownat(fd, "", entry->uid, entry->gid, AT_EMPTY_PATH) == 0) {
        return 0;
    }
    return errno == EINVAL ? err_set(err, ERR_UNSUPPORTED, "its owner %u:%u does not exist in the user namespace there", entry->uid, entry->gid)
                           : err_sys(err, "set its owner to %u:%u", entry->uid, entry->gid);
}

static mode_t wanted_mode(const struct extraction *extraction, const struct tar_entry *entry) {
    return extraction->options->owners ? entry->mode : entry->mode & ~(mode_t)SET_ID_BITS;
}

// --- files ---

static bool is_zero(const uint8_t *data, size_t size) {
    return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

// Whole blocks of zeros become holes.
static int write_piece(int fd, const struct tar_piece *piece, struct err *err) {
    for (size_t at = 0; at < piece->size;) {
        size_t end = at;
        bool hole = false;
        do {
            size_t left = piece->size - end;
            size_t step = HOLE_BYTES - (size_t)((piece->offset + end) % HOLE_BYTES);
            step = step < left ? step : left;
            bool zero = is_zero(piece->data + end, step);
            if (end > at && zero != hole) {
                break;
            }
            hole = zero;
            end += step;
        } while (end < piece->size);
        if (!hole && (lseek(fd, (off_t)(piece->offset + at), SEEK_SET) < 0 || fd_write_all(fd, piece->data + at, end - at) < 0)) {
            return err_sys(err, "write");
        }
        at = end;
    }
    return 0;
}

static int write_data(struct extraction *extraction, int fd, const struct tar_entry *entry, struct err *err) {
    struct tar_piece piece;
    do {
        if (tar_data(&extraction->tar, &piece, err) < 0 || write_piece(fd, &piece, err) < 0) {
            return -1;
        }
    } while (piece.size > 0);
    extraction->result->file_bytes += entry->size;
    return ftruncate(fd, (off_t)entry->size) < 0 ? err_sys(err, "set its size to %llu", (unsigned long long)entry->size) : 0;
}

// Takes away what is there. Returns 1 where something is mounted, which can only be written to.
static int make_room(int parent_fd, const char *name, struct err *err) {
    struct stat status;
    if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : err_sys(err, "look at what is there");
    }
    if (S_ISDIR(status.st_mode)) {
        return err_set(err, ERR_EXISTS, "cannot overwrite a directory with what is none");
    }
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
        return err_set(err, ERR_EXISTS, "is a device, in whose place nothing is copied"); // a host without /dev/null is none
    }
    if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    return errno == EBUSY && S_ISREG(status.st_mode) ? 1 : err_sys(err, "take away what is there");
}

static int open_file(int parent_fd, const char *name, struct err *err) {
    const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat status;
    int mounted = make_room(parent_fd, name, err);
    if (mounted < 0) {
        return -1;
    }
    AUTO_FD int fd = mounted ? openat(parent_fd, name, flags | O_TRUNC) : openat(parent_fd, name, flags | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "make the file");
    }
    return S_ISREG(status.st_mode) ? fd_take(&fd) : err_set(err, ERR_STATE, "became something else while it was written");
}

static int make_file(struct extraction *extraction, int parent_fd, const char *name, const struct tar_entry *entry, struct err *err) {
    AUTO_FD int fd = open_file(parent_fd, name, err);
    if (fd < 0 || write_data(extraction, fd, entry, err) < 0 || set_owner(extraction, fd, entry, err) < 0) {
        return -1;
    }
    if (fchmod(fd, wanted_mode(extraction, entry)) < 0) {
        return err_sys(err, "set its mode");
    }
    const struct timespec times[2] = {entry->atime, entry->mtime};
    return set_xattrs(extraction, fd, entry, err) < 0 ? -1 : futimens(fd, times) < 0 ? err_sys(err, "set its times") : 0;
}

// --- the others ---

// Links and fifos, of which no descriptor is had by making them: what is opened under the name is looked at before it gets an owner.
static int set_bare_attributes(const struct extraction *extraction, int parent_fd, const char *name, const struct tar_entry *entry,
                               struct err *err) {
    struct stat status;
    mode_t format = entry->type == TAR_FIFO ? S_IFIFO : S_IFLNK;
    AUTO_FD int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open it");
    }
    if ((status.st_mode & S_IFMT) != format) {
        return err_set(err, ERR_STATE, "became something else while it was made");
    }
    const struct timespec times[2] = {entry->atime, entry->mtime};
    if (set_owner(extraction, fd, entry, err) < 0) {
        return -1;
    }
    return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 && errno != EINVAL && errno != ENOENT ? err_sys(err, "set its times") : 0;
}

static int make_bare(struct extraction *extraction, int parent_fd, const char *name, const struct tar_entry *entry, struct err *err) {
    int mounted = make_room(parent_fd, name, err);
    if (mounted != 0) {
        return mounted < 0 ? -1 : err_set(err, ERR_STATE, "something is mounted there");
    }
    int failed = entry->type == TAR_SYMLINK ? symlinkat(entry->link, parent_fd, name)
                                            : mknodat(parent_fd, name, S_IFIFO | (entry->mode & 0777), 0);
    if (failed < 0) {
        return err_sys(err, "make %s", tar_type_name(entry->type));
    }
    return set_bare_attributes(extraction, parent_fd, name, entry, err);
}

static int make_hardlink(struct extraction *extraction, const char *path, const struct tar_entry *entry, struct err *err) {
    char target[PATH_MAX], from[PATH_MAX] = ".";
    const char *name;
    const struct tar_entry as_entry = {.name = entry->link};
    if (find_path(extraction, &as_entry, target, err) < 0) {
        return err_in(err, "its link target");
    }
    if (strcmp(target, path) == 0) {
        return 0; // both names are one in what is there
    }
    const char *slash = strrchr(target, '/');
    if (slash) {
        memcpy(from, target, (size_t)(slash - target));
        from[slash - target] = '\0';
    }
    AUTO_FD int from_fd = open_directory(extraction, from, err);
    int to_fd = from_fd < 0 ? -1 : open_parent(extraction, path, &name, err);
    int mounted = to_fd < 0 ? -1 : make_room(to_fd, name, err);
    if (mounted != 0) {
        return mounted < 0 ? -1 : err_set(err, ERR_STATE, "something is mounted there");
    }
    return linkat(from_fd, slash ? slash + 1 : target, to_fd, name, 0) < 0 ? err_sys(err, "link it to %s", target) : 0;
}

static void add_late(struct extraction *extraction, const char *path, const struct tar_entry *entry) {
    if (extraction->late_count == extraction->late_room) {
        extraction->late_room = extraction->late_room ? 2 * extraction->late_room : 64;
        extraction->late = mem_resize(extraction->late, extraction->late_room, sizeof(*extraction->late));
    }
    extraction->late[extraction->late_count] = (struct late){
        .path = arena_copy_string(&extraction->arena, path),
        .order = extraction->late_count,
        .mode = wanted_mode(extraction, entry),
        .times = {entry->atime, entry->mtime},
    };
    extraction->late_count++;
}

// One that is there keeps its attributes, unless those of the tar count.
static int make_directory(struct extraction *extraction, int parent_fd, const char *name, const char *path, const struct tar_entry *entry,
                          struct err *err) {
    bool made = mkdirat(parent_fd, name, 0700) == 0;
    if (!made && errno != EEXIST) {
        return err_sys(err, "make the directory");
    }
    AUTO_FD int fd = made || !extraction->options->follow ? openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                                          : open_below(extraction, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return errno == ENOTDIR || errno == ELOOP ? err_set(err, ERR_EXISTS, "cannot overwrite what is no directory with one")
                                                  : err_sys(err, "open the directory");
    }
    if (!made && !extraction->options->owners) {
        return 0;
    }
    add_late(extraction, path, entry);
    return set_owner(extraction, fd, entry, err) < 0 ? -1 : set_xattrs(extraction, fd, entry, err);
}

// --- all of them ---

// One that was made for the tar, or is there: then it stays as it is.
static int root_entry(struct extraction *extraction, const struct tar_entry *entry, struct err *err) {
    if (entry->type != TAR_DIRECTORY) {
        return err_set(err, ERR_INPUT, "is the root itself, and no directory");
    }
    if (!extraction->options->new_root) {
        return 0;
    }
    add_late(extraction, ".", entry);
    return set_owner(extraction, extraction->root_fd, entry, err) < 0 ? -1 : set_xattrs(extraction, extraction->root_fd, entry, err);
}

static int one_entry(struct extraction *extraction, const struct tar_entry *entry, struct err *err) {
    char path[PATH_MAX];
    const char *name;
    if (extraction->options->name && entry->type == TAR_DIRECTORY) {
        return err_set(err, ERR_STATE, "became a directory while it was copied");
    }
    if (find_path(extraction, entry, path, err) < 0) {
        return -1;
    }
    if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK) {
        extraction->result->left_out++;
        return 0;
    }
    if (strcmp(path, ".") == 0) {
        return root_entry(extraction, entry, err);
    }
    int parent_fd = open_parent(extraction, path, &name, err);
    if (parent_fd < 0) {
        return -1;
    }
    switch (entry->type) {
    case TAR_FILE:
        return make_file(extraction, parent_fd, name, entry, err);
    case TAR_DIRECTORY:
        return make_directory(extraction, parent_fd, name, path, entry, err);
    case TAR_HARDLINK:
        return make_hardlink(extraction, path, entry, err);
    default:
        return make_bare(extraction, parent_fd, name, entry, err);
    }
}

static int all_entries(struct extraction *extraction, struct err *err) {
    struct tar_entry entry;
    int more;
    while ((more = tar_next(&extraction->tar, &entry, err)) > 0) {
        if (++extraction->result->entries > UNPACK_MAX_ENTRIES) {
            return err_set(err, ERR_INPUT, "tar has more than the limit of %llu entries", (unsigned long long)UNPACK_MAX_ENTRIES);
        }
        if (one_entry(extraction, &entry, err) < 0) {
            char quoted[QUOTE_SIZE];
            return err_in(err, "%s", quote_text(extraction->options->name ? extraction->options->name : entry.name, quoted));
        }
    }
    return more;
}

// The root first, what is above before what is below; those of one path as they came.
static int compare_late(const void *a, const void *b) {
    const struct late *left = a, *right = b;
    const char *left_path = strcmp(left->path, ".") == 0 ? "" : left->path;
    int order = strcmp(left_path, strcmp(right->path, ".") == 0 ? "" : right->path);
    return order != 0 ? order : left->order < right->order ? -1 : left->order > right->order;
}

// What has become something else meanwhile needs none.
static int finish_directory(const struct extraction *extraction, const struct late *late, struct err *err) {
    char quoted[QUOTE_SIZE];
    AUTO_FD int fd = open_below(extraction, late->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
        return gone ? 0 : err_sys(err, "%s: open it again for its mode and times", quote_text(late->path, quoted));
    }
    return fchmod(fd, late->mode) < 0 || futimens(fd, late->times) < 0
               ? err_sys(err, "%s: set its mode and times", quote_text(late->path, quoted))
               : 0;
}

// The deepest first, as a mode may forbid to go there. Of one path the last entry counts.
static int finish_directories(struct extraction *extraction, struct err *err) {
    if (extraction->late_count == 0) {
        return 0;
    }
    qsort(extraction->late, extraction->late_count, sizeof(*extraction->late), compare_late);
    for (size_t i = extraction->late_count; i-- > 0;) {
        const struct late *late = &extraction->late[i];
        bool last = i + 1 == extraction->late_count || strcmp(late->path, late[1].path) != 0;
        if (last && finish_directory(extraction, late, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int extract_tar(int input_fd, int dir_fd, const struct extract_options *options, struct extract_result *ret, struct err *err) {
    struct input input;
    struct extract_result result = {0};
    struct extraction extraction = {.options = options, .root_fd = dir_fd, .parent_fd = -1, .result = &result};
    const struct inflate_options plain = {.declared = COMPRESSION_NONE, .max_bytes = UNPACK_MAX_BYTES, .unhashed = true};
    umask(0);
    input_init_pipe(&input, input_fd, INPUT_TO_END, DIGEST_NONE);
    inflate_init(&extraction.inflate, &input, &plain);
    tar_init(&extraction.tar, &extraction.inflate);
    int failed = all_entries(&extraction, err) < 0 || finish_directories(&extraction, err) < 0 ? -1 : 0;
    tar_finish(&extraction.tar);
    inflate_finish(&extraction.inflate);
    input_finish(&input);
    fd_close(&extraction.parent_fd);
    free(extraction.late);
    arena_finish(&extraction.arena);
    if (failed == 0) {
        *ret = result;
    }
    return failed;
}
