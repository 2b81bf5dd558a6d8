#include "images/verify.h"

#include "images/input.h"
#include "images/layer_xattr.h"
#include "images/repack.h"
#include "images/verify_expected.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/sys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct verify {
    const struct verify_options *options;
    int root_fd;
    struct expected_tree tree;
    struct strv waiting; // directories to be read, the last one first
    struct verify_result *result;
    bool is_broken; // what files hold cannot be read as the tar had it
    char *value;    // of an extended attribute, and the list of their names
};

// The entry on the disk that is looked at; the working directory is its parent.
struct met {
    const char *path, *name;
    struct stat status;
    const struct expected *expected;
};

static void PRINTF_LIKE(3, 4) differs(struct verify *verify, const char *path, const char *format, ...) {
    struct verify_result *result = verify->result;
    char text[ERR_TEXT_SIZE];
    if (result->differences_count == VERIFY_MAX_DIFFERENCES) {
        result->more++;
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    result->differences[result->differences_count++] = (struct verify_difference){
        .path = arena_copy_string(&result->arena, path), .problem = arena_copy_string(&result->arena, text)};
}

// --- one entry ---

static const char *type_name(const struct stat *status) {
    switch (status->st_mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFLNK:
        return "a symbolic link";
    case S_IFCHR:
        return status->st_rdev == makedev(0, 0) ? "a whiteout" : "a character device";
    case S_IFBLK:
        return "a block device";
    case S_IFIFO:
        return "a fifo";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a file";
    }
}

static bool has_type(const struct met *met, enum tar_type type) {
    static const mode_t formats[TAR_TYPE_COUNT] = {
        [TAR_FILE] = S_IFREG,  [TAR_SYMLINK] = S_IFLNK,   [TAR_CHAR] = S_IFCHR,
        [TAR_BLOCK] = S_IFBLK, [TAR_DIRECTORY] = S_IFDIR, [TAR_FIFO] = S_IFIFO,
    };
    return (met->status.st_mode & S_IFMT) == formats[type];
}

// File systems keep times between 1901 and 2038 at least, some of them no parts of a second.
static bool is_same_time(const struct timespec *there, const struct timespec *expected) {
    bool is_kept = expected->tv_sec >= INT32_MIN && expected->tv_sec <= INT32_MAX;
    return !is_kept || (there->tv_sec == expected->tv_sec && (there->tv_nsec == expected->tv_nsec || there->tv_nsec == 0));
}

static void check_attributes(struct verify *verify, const struct met *met, const struct tar_entry *entry) {
    const struct stat *status = &met->status;
    mode_t mode = status->st_mode & 07777, expected = entry->mode & 07777;
    mode_t left_out = verify->options->single_id ? S_ISGID : 0; // the kernel takes it from who is not in the group
    if (entry->type != TAR_SYMLINK && ((mode ^ expected) & ~left_out & 07777) != 0) {
        differs(verify, met->path, "its mode is %04o, expected %04o", mode, expected);
    }
    if (!verify->options->single_id && (status->st_uid != entry->uid || status->st_gid != entry->gid)) {
        differs(verify, met->path, "its owner is %u:%u, expected %u:%u", status->st_uid, status->st_gid, entry->uid, entry->gid);
    }
    if (!is_same_time(&status->st_mtim, &entry->mtime)) {
        differs(verify, met->path, "its time of change is %lld.%09ld, expected %lld.%09ld", (long long)status->st_mtim.tv_sec,
                status->st_mtim.tv_nsec, (long long)entry->mtime.tv_sec, entry->mtime.tv_nsec);
    }
}

static void check_target(struct verify *verify, const struct met *met, const struct tar_entry *entry) {
    char target[PATH_MAX], quoted[QUOTE_SIZE], wanted[QUOTE_SIZE];
    ssize_t length = readlinkat(AT_FDCWD, met->name, target, sizeof(target) - 1);
    target[length < 0 ? 0 : length] = '\0';
    if (strcmp(target, entry->link) != 0) {
        differs(verify, met->path, "leads to %s, expected %s", quote_text(target, quoted), quote_text(entry->link, wanted));
    }
}

static void check_xattr(struct verify *verify, const struct met *met, const struct tar_xattr *xattr) {
    char quoted[QUOTE_SIZE];
    // An ACL is kept in a form of the file system's own.
    bool is_acl = strncmp(xattr->name, "system.posix_acl_", 17) == 0;
    bool must_be = strcmp(xattr->name, "security.capability") == 0;
    if (!layer_xattr_is_wanted(xattr->name)) {
        return;
    }
    ssize_t size = lgetxattr(met->name, xattr->name, verify->value, XATTR_SIZE_MAX);
    // Links and devices have no user.*, and some file systems no attributes at all: the unpacker could not set it.
    bool was_lost = size < 0 && (errno == ENOTSUP || errno == EPERM) && !must_be;
    if (size < 0 && !was_lost &&
        !(errno == ENODATA && met->expected->entry.type != TAR_FILE && met->expected->entry.type != TAR_DIRECTORY)) {
        differs(verify, met->path, "has no extended attribute %s", quote_text(xattr->name, quoted));
    } else if (size >= 0 && !is_acl && ((size_t)size != xattr->size || memcmp(verify->value, xattr->value, xattr->size) != 0)) {
        differs(verify, met->path, "its extended attribute %s has another value", quote_text(xattr->name, quoted));
    }
}

static bool is_expected_xattr(const struct tar_entry *entry, const char *name) {
    for (size_t i = 0; i < entry->xattr_count; i++) {
        if (strcmp(entry->xattrs[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

// ACLs come down from directories by themselves; what is not wanted in layers may be the host's.
static void check_more_xattrs(struct verify *verify, const struct met *met, const struct tar_entry *entry) {
    char quoted[QUOTE_SIZE];
    ssize_t size = llistxattr(met->name, verify->value, XATTR_LIST_MAX);
    for (const char *name = verify->value; size > 0 && name < verify->value + size; name += strlen(name) + 1) {
        if (layer_xattr_is_wanted(name) && strncmp(name, "system.", 7) != 0 && !is_expected_xattr(entry, name)) {
            differs(verify, met->path, "has the extended attribute %s, expected none of that name", quote_text(name, quoted));
        }
    }
}

static void check_entry(struct verify *verify, const struct met *met) {
    const struct tar_entry *entry = &met->expected->entry;
    if (!has_type(met, entry->type)) {
        differs(verify, met->path, "is %s, expected %s", type_name(&met->status), tar_type_name(entry->type));
        verify->is_broken = true;
        return;
    }
    check_attributes(verify, met, entry);
    if (entry->type == TAR_FILE && (uint64_t)met->status.st_size != entry->size) {
        differs(verify, met->path, "it has %lld bytes, expected %llu", (long long)met->status.st_size,
                (unsigned long long)entry->size);
        verify->is_broken = true;
    }
    if (entry->type == TAR_SYMLINK) {
        check_target(verify, met, entry);
    }
    if ((entry->type == TAR_CHAR || entry->type == TAR_BLOCK) && met->status.st_rdev != makedev(entry->major, entry->minor)) {
        differs(verify, met->path, "it is device %u:%u, expected %u:%u", major(met->status.st_rdev), minor(met->status.st_rdev),
                entry->major, entry->minor);
    }
    for (size_t i = 0; i < entry->xattr_count; i++) {
        check_xattr(verify, met, &entry->xattrs[i]);
    }
    if (!met->expected->repeated) {
        check_more_xattrs(verify, met, entry);
    }
}

// Opens what a path names below the root, without following links.
static int open_beneath(const struct verify *verify, const char *path, uint64_t flags) {
    const struct open_how how = {
        .flags = flags | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    return sys_openat2(verify->root_fd, path, &how);
}

static void check_link(struct verify *verify, const struct met *met) {
    const char *target = met->expected->entry.link;
    char quoted[QUOTE_SIZE];
    struct stat status;
    AUTO_FD int fd = open_beneath(verify, target, O_PATH);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_ino != met->status.st_ino || status.st_dev != met->status.st_dev) {
        differs(verify, met->path, "is not the same file as %s", quote_text(target, quoted));
    }
}

static void check_met(struct verify *verify, const struct met *met) {
    switch (met->expected->kind) {
    case EXPECTED_WHITEOUT:
        if (!S_ISCHR(met->status.st_mode) || met->status.st_rdev != makedev(0, 0)) {
            differs(verify, met->path, "is %s, expected a whiteout", type_name(&met->status));
        }
        break;
    case EXPECTED_OPAQUE:
        if (!S_ISDIR(met->status.st_mode)) {
            differs(verify, met->path, "is %s, expected a directory", type_name(&met->status));
        }
        break;
    case EXPECTED_LINK:
        check_link(verify, met);
        break;
    case EXPECTED_ENTRY:
        check_entry(verify, met);
        break;
    default:
        break;
    }
}

// --- all of them ---

static void meet(struct verify *verify, const char *path, const char *name) {
    struct met met = {.path = path, .name = name};
    struct expected *expected = expected_find(&verify->tree, path);
    if (fstatat(AT_FDCWD, name, &met.status, AT_SYMLINK_NOFOLLOW) < 0) {
        differs(verify, path, "cannot be looked at: %s", strerror(errno));
        return;
    }
    bool is_directory = S_ISDIR(met.status.st_mode);
    if (expected) {
        expected->met = true;
        met.expected = expected;
        check_met(verify, &met);
    } else if (!expected_has_below(&verify->tree, path) && strcmp(path, ".") != 0) {
        differs(verify, path, "does not belong to the layer");
        return;
    } else if (!is_directory) {
        differs(verify, path, "is %s, expected a directory", type_name(&met.status));
    }
    if (is_directory) {
        strv_add(&verify->waiting, path);
    }
}

static void meet_entry(struct verify *verify, const char *directory, const char *name) {
    char path[PATH_MAX];
    bool is_root = strcmp(directory, ".") == 0;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return;
    }
    int length = snprintf(path, sizeof(path), "%s%s%s", is_root ? "" : directory, is_root ? "" : "/", name);
    if (length < 0 || length >= (int)sizeof(path)) {
        differs(verify, directory, "holds something whose path is longer than %d bytes", PATH_MAX - 1);
        return;
    }
    meet(verify, path, name);
}

static int read_directory(struct verify *verify, const char *path, struct err *err) {
    _Alignas(struct dirent64) char entries[32 << 10];
    AUTO_FD int fd = open_beneath(verify, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fchdir(fd) < 0) {
        differs(verify, path, "cannot be opened: %s", strerror(errno));
        verify->is_broken = true;
        return 0;
    }
    for (;;) {
        ssize_t size = sys_getdents64(fd, entries, sizeof(entries));
        if (size <= 0) {
            return size < 0 ? err_sys(err, "read a directory") : 0;
        }
        for (ssize_t at = 0; at < size;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            meet_entry(verify, path, entry->d_name);
            at += entry->d_reclen;
        }
    }
}

static int read_all(struct verify *verify, struct err *err) {
    if (fchdir(verify->root_fd) < 0) {
        return err_sys(err, "enter the layer's directory");
    }
    meet(verify, ".", ".");
    while (verify->waiting.count > 0) {
        AUTO_FREE char *path = verify->waiting.items[--verify->waiting.count];
        verify->waiting.items[verify->waiting.count] = NULL;
        if (read_directory(verify, path, err) < 0) {
            return -1;
        }
    }
    return fchdir(verify->root_fd) < 0 ? err_sys(err, "enter the layer's directory") : 0;
}

// Nodes that the unpacker leaves out: 0:0 is overlayfs's own sign.
static bool is_optional(const struct verify *verify, const struct expected *expected) {
    const struct tar_entry *entry = &expected->entry;
    bool is_device = expected->kind == EXPECTED_ENTRY && (entry->type == TAR_CHAR || entry->type == TAR_BLOCK);
    bool is_sign = is_device && entry->type == TAR_CHAR && entry->major == 0 && entry->minor == 0;
    return is_sign || (is_device && verify->options->no_devices) || strcmp(expected->path, ".") == 0;
}

static void look_for_missing(struct verify *verify) {
    struct verify_result *result = verify->result;
    result->opaque_dirs = arena_array(&result->arena, verify->tree.count + 1, sizeof(*result->opaque_dirs));
    for (size_t i = 0; i < verify->tree.count; i++) {
        const struct expected *expected = &verify->tree.items[i];
        if (expected->opaque && expected->met) {
            result->opaque_dirs[result->opaque_count++] = arena_copy_string(&result->arena, expected->path);
        }
        if (!expected->met && !is_optional(verify, expected)) {
            differs(verify, expected->path, "is missing");
            verify->is_broken = true;
        }
    }
}

static int read_record(struct verify *verify, int record_fd, struct err *err) {
    struct input input;
    input_init_file(&input, record_fd, 0, INPUT_TO_END, DIGEST_NONE);
    int failed = expected_read(&input, COMPRESSION_ZSTD, &verify->tree, err);
    input_finish(&input);
    return failed;
}

static int read_files(struct verify *verify, int record_fd, struct err *err) {
    struct input input;
    struct repack_result result;
    const struct repack_options options = {
        .output_fd = -1, .progress = verify->options->progress, .progress_context = verify->options->progress_context};
    input_init_file(&input, record_fd, 0, INPUT_TO_END, DIGEST_NONE);
    int failed = repack_layer(&input, verify->root_fd, &options, &result, err);
    input_finish(&input);
    if (failed == 0) {
        verify->result->is_read = true;
        verify->result->diff_id = result.diff_id;
        verify->result->tar_size = result.tar_size;
    }
    return failed;
}

void verify_result_finish(struct verify_result *result) {
    arena_finish(&result->arena);
    *result = (struct verify_result){0};
}

static void verify_finish(struct verify *verify) {
    expected_finish(&verify->tree);
    strv_finish(&verify->waiting);
    free(verify->value);
}

int verify_layer(int record_fd, int dir_fd, const struct verify_options *options, struct verify_result *ret_result,
                 struct err *err) {
    AUTO(verify_result_finish) struct verify_result result = {0};
    AUTO(verify_finish)
    struct verify verify = {.options = options, .root_fd = dir_fd, .result = &result, .value = mem_alloc(XATTR_SIZE_MAX + 1)};
    result.differences = arena_array(&result.arena, VERIFY_MAX_DIFFERENCES, sizeof(*result.differences));
    if (read_record(&verify, record_fd, err) < 0 || read_all(&verify, err) < 0) {
        return -1;
    }
    look_for_missing(&verify);
    if (!verify.is_broken && read_files(&verify, record_fd, err) < 0) {
        return -1;
    }
    *ret_result = result;
    result = (struct verify_result){0};
    return 0;
}
