#include "images/tree_pack.h"

#include "images/inode_table.h"
#include "images/tar_record.h"
#include "images/tar_writer.h"
#include "images/tree_attributes.h"
#include "images/unpack.h"
#include "images/unpack_state.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/sys.h"
#include "runtime/kernel/tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 256 << 10,
    LISTING_BYTES = 32 << 10,
    MAX_NAMES = 4 << 20, // in one directory
    REPORT_EVERY_BYTES = 4 << 20,
};

struct tree_pack {
    const struct tree_pack_options *options;
    int root_fd;
    struct tar_writer tar;
    struct tar_record record;
    struct hasher hasher;
    struct inode_table links;
    struct tree_attributes attributes;
    struct tar_sparse sparse; // of the file at hand
    struct buf path; // of the entry at hand, below the root; its parent is the working directory
    struct buf shown; // the same as the tar has it
    bool in_kernel;   // the tree begins in a file system of the kernel
    uint8_t *chunk;
    void *listing;
    uint64_t reported;
    struct tree_pack_result *result;
};

static int take_bytes(void *context, const void *data, size_t size, struct err *err) {
    struct tree_pack *pack = context;
    const struct tree_pack_options *options = pack->options;
    if (!options->live) {
        hasher_update(&pack->hasher, data, size);
    }
    if (options->output_fd >= 0 && fd_write_all(options->output_fd, data, size) < 0) {
        return err_sys(err, "write the tar");
    }
    pack->result->tar_size += size;
    if (options->progress && pack->result->tar_size - pack->reported >= REPORT_EVERY_BYTES) {
        pack->reported = pack->result->tar_size;
        options->progress(options->progress_context, pack->reported, pack->reported);
    }
    return 0;
}

// --- one entry ---

static int check_room(struct tree_pack *pack, const struct tar_entry *entry, struct err *err) {
    if (++pack->result->entries > UNPACK_MAX_ENTRIES) {
        return err_set(err, ERR_UNSUPPORTED, "is beyond the limit of %llu entries", (unsigned long long)UNPACK_MAX_ENTRIES);
    }
    if (entry->size > UNPACK_MAX_BYTES || pack->tar.bytes > UNPACK_MAX_BYTES - entry->size) {
        return err_set(err, ERR_UNSUPPORTED, "makes the tar larger than the limit of %llu bytes",
                       (unsigned long long)UNPACK_MAX_BYTES);
    }
    return 0;
}

static int add_entry(struct tree_pack *pack, const struct tar_entry *entry, struct err *err) {
    return check_room(pack, entry, err) < 0 ? -1 : tar_writer_entry(&pack->tar, entry, err);
}

// The path of a marker in the directory that holds what is at hand, or in itself.
static int add_marker(struct tree_pack *pack, size_t above, const char *prefix, const char *name, struct err *err) {
    AUTO_BUF struct buf marker = {0};
    if (strlen(prefix) + strlen(name) > NAME_MAX) {
        return err_set(err, ERR_UNSUPPORTED, "was deleted, and the name of its whiteout would be longer than %d bytes", NAME_MAX);
    }
    buf_add(&marker, buf_string(&pack->path), above);
    if (above > 0 && marker.data[above - 1] != '/') {
        buf_add_char(&marker, '/');
    }
    buf_add_string(&marker, prefix);
    buf_add_string(&marker, name);
    if (marker.size >= PATH_MAX) {
        return err_set(err, ERR_UNSUPPORTED, "the path of its whiteout is longer than %d bytes", PATH_MAX - 1);
    }
    // All whiteouts of a tree may be one inode with many names, so that its owner and times say nothing.
    const struct tar_entry entry = {.type = TAR_FILE, .name = buf_string(&marker), .mode = 0600};
    return add_entry(pack, &entry, err);
}

static int add_whiteout(struct tree_pack *pack, const char *name, struct err *err) {
    if (pack->options->signs == TREE_SIGNS_IGNORE) {
        pack->result->left_out++;
        return 0;
    }
    return add_marker(pack, pack->path.size - strlen(name), UNPACK_MARKER, name, err);
}

// The name in the tar, until the next call.
static const char *shown_name(struct tree_pack *pack) {
    const char *name = pack->options->name;
    if (!name || !*name) {
        return pack->path.size > 0 ? pack->path.data : "./";
    }
    buf_clear(&pack->shown);
    buf_add_format(&pack->shown, "%s%s%s", name, pack->path.size > 0 ? "/" : "", buf_string(&pack->path));
    return buf_string(&pack->shown);
}

static void describe(struct tree_pack *pack, const struct stat *status, struct tar_entry *ret) {
    *ret = (struct tar_entry){
        .name = shown_name(pack),
        .mode = status->st_mode & 07777,
        .uid = status->st_uid,
        .gid = status->st_gid,
        .mtime = status->st_mtim,
        .major = major(status->st_rdev),
        .minor = minor(status->st_rdev),
        .xattrs = pack->attributes.items,
        .xattr_count = pack->attributes.count,
    };
}

static int add_data(struct tree_pack *pack, int fd, uint64_t from, uint64_t size, struct err *err) {
    for (uint64_t done = from; done < from + size;) {
        size_t wanted = from + size - done < CHUNK_BYTES ? (size_t)(from + size - done) : CHUNK_BYTES;
        ssize_t got = pread(fd, pack->chunk, wanted, (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 || (got == 0 && !pack->options->live)) {
            return got < 0 ? err_sys(err, "read") : err_set(err, ERR_STATE, "became shorter while it was packed");
        }
        if (got == 0) {
            memset(pack->chunk, 0, wanted);
            got = (ssize_t)wanted;
        }
        if (tar_writer_data(&pack->tar, pack->chunk, (size_t)got, err) < 0) {
            return -1;
        }
        done += (uint64_t)got;
    }
    pack->result->file_bytes += size;
    return 0;
}

// Where its data is, as far as the file system knows; behind too many segments all is taken for data. False: it has no holes.
static bool find_holes(int fd, uint64_t size, struct tar_sparse *ret) {
    enum { SEGMENTS_MAX = 1 << 14 };
    struct err never;
    tar_sparse_clear(ret);
    ret->real_size = size;
    for (off_t at = 0; (uint64_t)at < size;) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 && errno != ENXIO) {
            return false;
        }
        if (data < 0 || (uint64_t)data >= size) {
            break;
        }
        off_t hole = ret->count < SEGMENTS_MAX - 1 ? lseek(fd, data, SEEK_HOLE) : -1;
        uint64_t end = hole > data && (uint64_t)hole < size ? (uint64_t)hole : size;
        if (tar_sparse_add(ret, (uint64_t)data, end - (uint64_t)data, &never) < 0) {
            return false;
        }
        at = (off_t)end;
    }
    return ret->count != 1 || ret->segments[0].size < size;
}

static int add_with_holes(struct tree_pack *pack, int fd, struct tar_entry *entry, struct err *err) {
    const struct tar_sparse *sparse = &pack->sparse;
    entry->size = 0;
    for (size_t i = 0; i < sparse->count; i++) {
        entry->size += sparse->segments[i].size;
    }
    if (check_room(pack, entry, err) < 0 || tar_writer_entry_sparse(&pack->tar, entry, sparse, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sparse->count; i++) {
        if (add_data(pack, fd, sparse->segments[i].offset, sparse->segments[i].size, err) < 0) {
            return -1;
        }
    }
    return 0;
}

// Files of the kernel's have no size before they are read; a chunk of one is enough for all that are not endless.
static int add_made_up(struct tree_pack *pack, int fd, struct tar_entry *entry, struct err *err) {
    ssize_t got = fd_read_full(fd, pack->chunk, CHUNK_BYTES);
    if (got < 0) {
        return err_sys(err, "read");
    }
    entry->size = (uint64_t)got;
    pack->result->file_bytes += entry->size;
    return add_entry(pack, entry, err) < 0 ? -1 : tar_writer_data(&pack->tar, pack->chunk, (size_t)got, err);
}

static int add_file(struct tree_pack *pack, const char *name, const struct stat *seen, struct err *err) {
    struct stat status;
    struct tar_entry entry;
    // Not blocking: it may have become a fifo since it was looked at.
    AUTO_FD int fd = openat(AT_FDCWD, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open");
    }
    if (!S_ISREG(status.st_mode) || status.st_ino != seen->st_ino) {
        return pack->options->live ? 0 : err_set(err, ERR_STATE, "became something else while it was packed");
    }
    describe(pack, &status, &entry);
    entry.type = TAR_FILE;
    entry.size = (uint64_t)status.st_size;
    if (pack->options->live && status.st_size == 0 && tree_is_of_kernel(fd)) {
        return add_made_up(pack, fd, &entry, err);
    }
    if (pack->options->keeps_holes && entry.size > 0 && find_holes(fd, entry.size, &pack->sparse)) {
        return add_with_holes(pack, fd, &entry, err);
    }
    return add_entry(pack, &entry, err) < 0 ? -1 : add_data(pack, fd, 0, entry.size, err);
}

// All that has no data: directories, symbolic links, fifos, devices.
static int add_bare(struct tree_pack *pack, const char *name, const struct stat *status, struct err *err) {
    char target[PATH_MAX];
    struct tar_entry entry;
    describe(pack, status, &entry);
    switch (status->st_mode & S_IFMT) {
    case S_IFDIR:
        entry.type = TAR_DIRECTORY;
        break;
    case S_IFCHR:
        entry.type = TAR_CHAR;
        break;
    case S_IFBLK:
        entry.type = TAR_BLOCK;
        break;
    case S_IFIFO:
        entry.type = TAR_FIFO;
        break;
    default: {
        ssize_t length = readlinkat(AT_FDCWD, name, target, sizeof(target));
        if (length < 0 || length == (ssize_t)sizeof(target)) {
            return err_sys(err, "read the link");
        }
        target[length] = '\0';
        entry.type = TAR_SYMLINK;
        entry.link = target;
        break;
    }
    }
    return add_entry(pack, &entry, err);
}

// Returns 1 when it is in the tar under another name, and a link to that now.
static int add_link(struct tree_pack *pack, const struct stat *status, struct err *err) {
    const char *first = inode_table_find(&pack->links, status->st_dev, status->st_ino);
    if (first) {
        struct tar_entry entry;
        describe(pack, status, &entry);
        entry.type = TAR_HARDLINK;
        entry.link = first;
        entry.xattr_count = 0; // the first name's are everyone's
        return add_entry(pack, &entry, err) < 0 ? -1 : 1;
    }
    if (pack->links.count >= INODE_TABLE_MAX) {
        return err_set(err, ERR_UNSUPPORTED, "is one of more than %d files with several names", INODE_TABLE_MAX);
    }
    inode_table_add(&pack->links, status->st_dev, status->st_ino, shown_name(pack));
    return 0;
}

// What has gone away, or been replaced, between two looks.
static bool is_gone(const struct tree_pack *pack, const struct err *err) {
    return pack->options->live && (err->errnum == ENOENT || err->errnum == ELOOP || err->errnum == ENOTDIR);
}

static int check_name(const struct tree_pack *pack, const char *name, struct err *err) {
    bool layer = !pack->options->live || pack->options->signs != TREE_SIGNS_IGNORE;
    if (layer && strncmp(name, UNPACK_MARKER, sizeof(UNPACK_MARKER) - 1) == 0) {
        return err_set(err, ERR_UNSUPPORTED, "is named as whiteouts are in layers (.wh.), and would delete something there");
    }
    return pack->path.size < PATH_MAX ? 0 : err_set(err, ERR_UNSUPPORTED, "has a path of more than %d bytes", PATH_MAX - 1);
}

static bool is_unwanted(const struct tree_pack *pack) {
    bool found = false;
    for (const char *const *at = pack->options->left_out; at && *at && !found; at++) {
        found = strcmp(*at, pack->path.data) == 0;
    }
    return found;
}

static bool is_left_out(const struct tree_pack *pack, const struct stat *status) {
    return S_ISSOCK(status->st_mode) || (pack->options->no_devices && (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode)));
}

// With its attributes, and what it holds. Returns 1 for a directory, which has been added and waits to be entered.
static int add_anything(struct tree_pack *pack, const char *name, const struct stat *status, struct err *err) {
    bool is_directory = S_ISDIR(status->st_mode);
    if (!is_directory && status->st_nlink > 1) {
        int linked = add_link(pack, status, err);
        if (linked != 0) {
            return linked < 0 ? -1 : 0;
        }
    }
    if (tree_attributes_read(&pack->attributes, name, err) < 0) {
        return -1;
    }
    if (S_ISREG(status->st_mode)) {
        return add_file(pack, name, status, err);
    }
    if (add_bare(pack, name, status, err) < 0) {
        return -1;
    }
    if (is_directory && pack->attributes.is_opaque && add_marker(pack, pack->path.size, "", UNPACK_OPAQUE_MARKER, err) < 0) {
        return -1;
    }
    return is_directory;
}

// Returns 1 for a directory, which has been added and waits to be entered.
static int one_entry(struct tree_pack *pack, const char *name, struct err *err) {
    struct stat status;
    uint64_t before = pack->result->entries;
    if (is_unwanted(pack)) {
        return 0;
    }
    int failed = fstatat(AT_FDCWD, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(err, "look at it") : check_name(pack, name, err);
    if (failed == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0)) {
        return add_whiteout(pack, name, err);
    }
    if (failed == 0 && is_left_out(pack, &status)) {
        pack->result->left_out++;
        return 0;
    }
    failed = failed < 0 ? -1 : add_anything(pack, name, &status, err);
    return failed < 0 && pack->result->entries == before && is_gone(pack, err) ? 0 : failed;
}

// --- all of them ---

static int compare_names(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static int list_names(struct tree_pack *pack, int fd, struct strv *names, struct err *err) {
    ssize_t size;
    while ((size = sys_getdents64(fd, pack->listing, LISTING_BYTES)) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *row = (const void *)((const char *)pack->listing + at);
            at += row->d_reclen;
            if (strcmp(row->d_name, ".") != 0 && strcmp(row->d_name, "..") != 0) {
                strv_add(names, row->d_name);
            }
        }
        if (names->count > MAX_NAMES) {
            return err_set(err, ERR_UNSUPPORTED, "has more than %d entries", MAX_NAMES);
        }
    }
    if (size < 0) {
        return err_sys(err, "read the directory");
    }
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    }
    return 0;
}

// Makes a directory below `base_fd` the working directory. Returns its descriptor.
static int enter(const struct tree_pack *pack, int base_fd, const char *path, struct err *err) {
    const struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | (pack->options->live ? 0 : RESOLVE_NO_XDEV),
    };
    AUTO_FD int fd = sys_openat2(base_fd, path, &how);
    if (fd < 0 && errno == EXDEV) {
        return err_set(err, ERR_UNSUPPORTED, "is a mount point");
    }
    return fd < 0 || fchdir(fd) < 0 ? err_sys(err, "open") : fd_take(&fd);
}

// The directory that the path names, which is below the working directory under `name`. It is the working directory at the end, and
// as many descriptors are open as before: nothing but the length of a path bounds how deep trees are.
static int pack_directory(struct tree_pack *pack, const char *name, struct err *err) {
    AUTO_STRV struct strv names = {0};
    size_t before = pack->path.size;
    int fd = enter(pack, AT_FDCWD, name, err);
    bool passed_by = fd >= 0 && pack->options->live && !pack->in_kernel && tree_is_of_kernel(fd);
    int failed = fd < 0 ? -1 : passed_by ? 0 : list_names(pack, fd, &names, err);
    fd_close(&fd);
    if (failed < 0 && is_gone(pack, err)) {
        return 0;
    }
    for (size_t i = 0; i < names.count && failed == 0; i++) {
        if (before > 0) {
            buf_add_char(&pack->path, '/');
        }
        buf_add_string(&pack->path, names.items[i]);
        int entered = one_entry(pack, names.items[i], err);
        failed = entered > 0 ? pack_directory(pack, names.items[i], err) : entered;
        if (failed < 0) {
            return -1; // the path stays, for the message
        }
        pack->path.size = before;
        pack->path.data[before] = '\0';
        if (entered > 0) {
            AUTO_FD int again = enter(pack, pack->root_fd, before > 0 ? pack->path.data : ".", err);
            failed = again < 0 ? -1 : 0;
            if (failed < 0 && is_gone(pack, err)) {
                return 0; // the rest of it; who is above finds his own way back
            }
        }
    }
    return failed;
}

// One thing in the directory, under the name that was asked for.
static int pack_only(struct tree_pack *pack, const char *name, struct err *err) {
    struct stat status;
    AUTO_FD int fd = enter(pack, pack->root_fd, ".", err);
    if (fd < 0 || fstatat(AT_FDCWD, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return fd < 0 ? -1 : err_sys(err, "look at it");
    }
    if (is_left_out(pack, &status)) {
        return err_set(err, ERR_UNSUPPORTED, "is a socket or a device, which is not copied");
    }
    status.st_nlink = 1;
    return add_anything(pack, name, &status, err) < 0 ? -1 : 0;
}

static int pack_tree(struct tree_pack *pack, struct err *err) {
    struct stat status;
    const char *name = pack->options->name;
    AUTO_FD int fd = enter(pack, pack->root_fd, ".", err);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fd < 0 ? -1 : err_sys(err, "look at it");
    }
    pack->in_kernel = pack->options->live && tree_is_of_kernel(fd);
    if (name && !*name) {
        return pack_directory(pack, ".", err);
    }
    if (tree_attributes_read(&pack->attributes, ".", err) < 0 || add_bare(pack, ".", &status, err) < 0 ||
        (pack->attributes.is_opaque && add_marker(pack, 0, "", UNPACK_OPAQUE_MARKER, err) < 0)) {
        return -1;
    }
    return pack_directory(pack, ".", err);
}

static void tree_pack_finish(struct tree_pack *pack) {
    tar_writer_finish(&pack->tar);
    tar_record_finish(&pack->record);
    inode_table_finish(&pack->links);
    tree_attributes_finish(&pack->attributes);
    tar_sparse_finish(&pack->sparse);
    buf_finish(&pack->path);
    buf_finish(&pack->shown);
    free(pack->chunk);
    free(pack->listing);
}

int tree_pack(int dir_fd, const struct tree_pack_options *options, struct tree_pack_result *ret, struct err *err) {
    struct tree_pack_result result = {0};
    AUTO(tree_pack_finish)
    struct tree_pack pack = {
        .options = options,
        .root_fd = dir_fd,
        .chunk = mem_resize(NULL, CHUNK_BYTES, 1),
        .listing = mem_resize(NULL, LISTING_BYTES, 1),
        .result = &result,
    };
    const struct sink sink = {.write = take_bytes, .context = &pack};
    tree_attributes_init(&pack.attributes, options->signs);
    hasher_init(&pack.hasher, DIGEST_SHA256);
    tar_record_init(&pack.record, options->record_fd);
    tar_writer_init(&pack.tar, &sink);
    pack.tar.seen = tar_record_add;
    pack.tar.seen_context = &pack.record;
    if ((options->only ? pack_only(&pack, options->only, err) : pack_tree(&pack, err)) < 0) {
        char quoted[QUOTE_SIZE];
        return err_in(err, "pack %s", quote_text(pack.path.size ? pack.path.data : ".", quoted));
    }
    if ((options->check && options->check(options->check_context, err) < 0) || tar_writer_end(&pack.tar, err) < 0 || tar_record_end(&pack.record, err) < 0) {
        return -1;
    }
    hasher_finish(&pack.hasher, &result.diff_id);
    *ret = result;
    return 0;
}
