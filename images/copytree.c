#include "images/copytree.h"

#include "images/inode_table.h"
#include "images/layer_xattr.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/sys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    CHUNK_SIZE = 128 << 10,
    MAX_DEPTH = 256,     // two descriptors each
    MAX_NAMES = 4 << 20, // in one directory
};

struct copy {
    const struct copytree_options *options;
    int to_root_fd;
    dev_t device; // of the source
    dev_t to_device;
    ino_t to_inode; // of the copy's root, in case it lies inside the source
    uint8_t *chunk;
    struct inode_table links;
    struct buf path; // of what is being copied, relative to the root
    struct copytree_result *result;
};

static int copy_run(struct copy *copy, int from_fd, int to_fd, off_t start, off_t end, struct err *err) {
    for (off_t at = start; at < end;) {
        size_t wanted = end - at < CHUNK_SIZE ? (size_t)(end - at) : CHUNK_SIZE;
        ssize_t got = pread(from_fd, copy->chunk, wanted, at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? err_sys(err, "read") : err_set(err, ERR_STATE, "became shorter while it was copied");
        }
        if (lseek(to_fd, at, SEEK_SET) < 0 || fd_write_all(to_fd, copy->chunk, (size_t)got) < 0) {
            return err_sys(err, "write");
        }
        at += got;
    }
    return 0;
}

static int copy_data(struct copy *copy, int from_fd, int to_fd, off_t size, struct err *err) {
    if (size > 0 && ioctl(to_fd, FICLONE, from_fd) == 0) {
        return 0;
    }
    off_t start = 0;
    while (start < size) {
        off_t data = lseek(from_fd, start, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break; // a hole to the end
        }
        off_t hole = data < 0 ? -1 : lseek(from_fd, data, SEEK_HOLE);
        if (data < 0 || hole < 0) { // a file system that does not know
            data = start;
            hole = size;
        }
        hole = hole < size ? hole : size;
        if (data < size && copy_run(copy, from_fd, to_fd, data, hole, err) < 0) {
            return -1;
        }
        start = hole > data ? hole : size;
    }
    return ftruncate(to_fd, size) < 0 ? err_sys(err, "set its size") : 0;
}

static int set_owner(const struct copy *copy, int fd, const char *name, const struct stat *status, struct err *err) {
    if (copy->options->single_id || fchownat(fd, name, status->st_uid, status->st_gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0) {
        return 0;
    }
    return err_sys(err, "set its owner to %u:%u", status->st_uid, status->st_gid);
}

// Owner, mode, extended attributes, times: in this order, for a file or directory that is open on both sides.
static int copy_attributes(struct copy *copy, int from_fd, int to_fd, const struct stat *status, struct err *err) {
    if (set_owner(copy, to_fd, "", status, err) < 0) {
        return -1;
    }
    if (fchmod(to_fd, status->st_mode & 07777) < 0) {
        return err_sys(err, "set its mode");
    }
    if (layer_xattr_copy(from_fd, to_fd, &copy->result->dropped_xattrs, err) < 0) {
        return -1;
    }
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    return futimens(to_fd, times) < 0 ? err_sys(err, "set its times") : 0;
}

static int copy_file(struct copy *copy, int from_parent, int to_parent, const char *name, struct err *err) {
    struct stat status;
    // Not blocking: it may have become a fifo since it was looked at.
    AUTO_FD int from_fd = openat(from_parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (from_fd < 0 || fstat(from_fd, &status) < 0) {
        return err_sys(err, "open");
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_STATE, "became something else while it was copied");
    }
    AUTO_FD int to_fd = openat(to_parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to_fd < 0) {
        return err_sys(err, "create");
    }
    if (copy_data(copy, from_fd, to_fd, status.st_size, err) < 0) {
        return -1;
    }
    copy->result->file_bytes += (uint64_t)status.st_size;
    return copy_attributes(copy, from_fd, to_fd, &status, err);
}

static int copy_symlink(int from_parent, int to_parent, const char *name, struct err *err) {
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_parent, name, target, sizeof(target));
    if (length < 0 || length == (ssize_t)sizeof(target)) {
        return err_sys(err, "read the link");
    }
    target[length] = '\0';
    return symlinkat(target, to_parent, name) < 0 ? err_sys(err, "make a symbolic link") : 0;
}

// Returns 1 for what is left out.
static int leave_out(struct copy *copy, const struct stat *status, struct err *err) {
    bool is_device = S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
    bool refuse = is_device && copy->options->devices == UNPACK_DEVICES_REFUSE;
    bool in_dev = copy->path.data && strncmp(copy->path.data, "dev/", 4) == 0;
    if (refuse && !in_dev) {
        return err_set(err, ERR_UNSUPPORTED, "is a device, which only root can make");
    }
    // 0:0 is overlayfs's sign for a deletion.
    bool skip = refuse || (is_device && copy->options->devices == UNPACK_DEVICES_SKIP) ||
                (S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0));
    copy->result->skipped_devices += skip;
    copy->result->skipped_sockets += S_ISSOCK(status->st_mode);
    return skip || S_ISSOCK(status->st_mode);
}

static int make_node(int to_parent, const char *name, const struct stat *status, struct err *err) {
    bool is_device = S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
    if (mknodat(to_parent, name, status->st_mode & (S_IFMT | 0777), is_device ? status->st_rdev : 0) < 0) {
        return err_sys(err, "make a node");
    }
    return 0;
}

// What cannot be opened without effect. Its extended attributes, if it should have any, stay behind: nothing in a layer uses them.
static int copy_special(struct copy *copy, int from_parent, int to_parent, const char *name, const struct stat *status,
                        struct err *err) {
    bool is_link = S_ISLNK(status->st_mode);
    int failed = is_link ? copy_symlink(from_parent, to_parent, name, err) : make_node(to_parent, name, status, err);
    if (failed < 0) {
        return -1;
    }
    if (set_owner(copy, to_parent, name, status, err) < 0) {
        return -1;
    }
    if (!is_link && fchmodat(to_parent, name, status->st_mode & 07777, 0) < 0) {
        return err_sys(err, "set its mode");
    }
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    return utimensat(to_parent, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(err, "set its times") : 0;
}

// Returns 1 when it was there under another name and is linked to that.
static int copy_link(struct copy *copy, int to_parent, const char *name, const struct stat *status, struct err *err) {
    const char *first = inode_table_find(&copy->links, status->st_dev, status->st_ino);
    if (!first) {
        if (copy->links.count >= INODE_TABLE_MAX) {
            return err_set(err, ERR_INPUT, "is one of more than %d files with several names", INODE_TABLE_MAX);
        }
        inode_table_add(&copy->links, status->st_dev, status->st_ino, copy->path.data);
        return 0;
    }
    // Both ends are in the copy, which is ours: no one changes what the path leads to.
    if (linkat(copy->to_root_fd, first, to_parent, name, 0) < 0) {
        char quoted[QUOTE_SIZE];
        return err_sys(err, "link it to %s", quote_text(first, quoted));
    }
    return 1;
}

static int copy_directory(struct copy *copy, int from_fd, int to_fd, unsigned depth, struct err *err);

static int enter_directory(struct copy *copy, int from_parent, int to_parent, const char *name, unsigned depth, struct err *err) {
    struct stat status;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    AUTO_FD int from_fd = openat(from_parent, name, flags);
    if (from_fd < 0 || fstat(from_fd, &status) < 0) {
        return err_sys(err, "open");
    }
    if (depth == MAX_DEPTH) {
        return err_set(err, ERR_INPUT, "lies more than %d directories deep", MAX_DEPTH);
    }
    if (mkdirat(to_parent, name, 0700) < 0) {
        return err_sys(err, "create");
    }
    AUTO_FD int to_fd = openat(to_parent, name, flags);
    if (to_fd < 0) {
        return err_sys(err, "open the copy");
    }
    bool is_copy = status.st_dev == copy->to_device && status.st_ino == copy->to_inode;
    if (status.st_dev == copy->device && !is_copy && copy_directory(copy, from_fd, to_fd, depth + 1, err) < 0) {
        return -1;
    }
    return copy_attributes(copy, from_fd, to_fd, &status, err);
}

static int copy_entry(struct copy *copy, int from_parent, int to_parent, const char *name, unsigned depth, struct err *err) {
    struct stat status;
    if (fstatat(from_parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at it");
    }
    copy->result->entries++;
    if (S_ISDIR(status.st_mode)) {
        return enter_directory(copy, from_parent, to_parent, name, depth, err);
    }
    // Before links are: what is left out cannot be linked to, and all whiteouts of a tree may be one inode.
    int left_out = leave_out(copy, &status, err);
    if (left_out != 0) {
        return left_out < 0 ? -1 : 0;
    }
    if (status.st_nlink > 1) {
        int linked = copy_link(copy, to_parent, name, &status, err);
        if (linked != 0) {
            return linked < 0 ? -1 : 0;
        }
    }
    return S_ISREG(status.st_mode) ? copy_file(copy, from_parent, to_parent, name, err)
                                   : copy_special(copy, from_parent, to_parent, name, &status, err);
}

static int compare_names(const void *a, const void *b) {
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

// Sorted, so that errors and links do not depend on the file system's order.
static int list_names(int fd, struct strv *names, struct err *err) {
    int copy_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy_fd < 0 ? NULL : fdopendir(copy_fd);
    if (!directory) {
        fd_close(&copy_fd);
        return err_sys(err, "read the directory");
    }
    int errnum = 0;
    for (;;) {
        errno = 0;
        const struct dirent *row = readdir(directory);
        if (!row) {
            errnum = errno;
            break;
        }
        if (strcmp(row->d_name, ".") != 0 && strcmp(row->d_name, "..") != 0) {
            strv_add(names, row->d_name);
        }
        if (names->count > MAX_NAMES) {
            errnum = EOVERFLOW;
            break;
        }
    }
    closedir(directory);
    if (errnum != 0) {
        return err_num(err, errnum, "read the directory");
    }
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    }
    return 0;
}

static int copy_directory(struct copy *copy, int from_fd, int to_fd, unsigned depth, struct err *err) {
    AUTO_STRV struct strv names = {0};
    if (list_names(from_fd, &names, err) < 0) {
        return -1;
    }
    size_t before = copy->path.size;
    for (size_t i = 0; i < names.count; i++) {
        if (before > 0) {
            buf_add_char(&copy->path, '/');
        }
        buf_add_string(&copy->path, names.items[i]);
        if (copy_entry(copy, from_fd, to_fd, names.items[i], depth, err) < 0) {
            return -1; // the path stays, for the message
        }
        copy->path.size = before;
        copy->path.data[before] = '\0';
    }
    return 0;
}

int copytree(int from_fd, int to_fd, const struct copytree_options *options, struct copytree_result *ret_result, struct err *err) {
    struct copytree_result result = {0};
    struct stat status, to_status;
    if (fstat(from_fd, &status) < 0 || fstat(to_fd, &to_status) < 0) {
        return err_sys(err, "look at the directory");
    }
    AUTO_FREE uint8_t *chunk = mem_resize(NULL, CHUNK_SIZE, 1);
    struct copy copy = {
        .options = options,
        .to_root_fd = to_fd,
        .device = status.st_dev,
        .to_device = to_status.st_dev,
        .to_inode = to_status.st_ino,
        .chunk = chunk,
        .result = &result,
    };
    int failed = copy_directory(&copy, from_fd, to_fd, 0, err);
    if (failed == 0) {
        failed = copy_attributes(&copy, from_fd, to_fd, &status, err);
    }
    if (failed < 0) {
        char quoted[QUOTE_SIZE];
        err_in(err, "copy %s", quote_text(copy.path.size ? copy.path.data : ".", quoted));
    }
    buf_finish(&copy.path);
    inode_table_finish(&copy.links);
    if (failed == 0) {
        *ret_result = result;
    }
    return failed;
}

int copytree_one(int from_parent_fd, int to_parent_fd, const char *name, bool single_id, struct err *err) {
    AUTO_FREE uint8_t *chunk = mem_resize(NULL, CHUNK_SIZE, 1);
    struct copytree_result ignored = {0};
    const struct copytree_options options = {.single_id = single_id};
    struct copy copy = {.options = &options, .chunk = chunk, .result = &ignored};
    struct stat status;
    if (fstatat(from_parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at it");
    }
    return S_ISREG(status.st_mode) ? copy_file(&copy, from_parent_fd, to_parent_fd, name, err)
                                   : copy_special(&copy, from_parent_fd, to_parent_fd, name, &status, err);
}

int copytree_directory_attributes(int from_fd, int to_fd, bool single_id, struct err *err) {
    struct copytree_result ignored = {0};
    const struct copytree_options options = {.single_id = single_id};
    struct copy copy = {.options = &options, .result = &ignored};
    struct stat status;
    if (fstat(from_fd, &status) < 0) {
        return err_sys(err, "look at it");
    }
    return copy_attributes(&copy, from_fd, to_fd, &status, err);
}
