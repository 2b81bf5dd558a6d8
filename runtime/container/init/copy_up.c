#include "runtime/container/init/copy_up.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 128 };

static int copy_tree(int from_fd, int to_fd, int depth, struct err *err);

static int copy_owner_and_times(int fd, const struct stat *status) {
    struct timespec times[2] = {status->st_atim, status->st_mtim};
    return fchown(fd, status->st_uid, status->st_gid) < 0 || fchmod(fd, status->st_mode & 07777) < 0 || futimens(fd, times) < 0 ? -1 : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, struct err *err) {
    AUTO_FD int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    AUTO_FD int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat status;
    if (from < 0 || to < 0 || fstat(from, &status) < 0) {
        return err_sys(err, "copy %s", name);
    }
    for (;;) {
        ssize_t sent = sendfile(to, from, NULL, 1 << 20);
        if (sent == 0) {
            break;
        }
        if (sent < 0 && errno != EINTR) {
            return err_sys(err, "copy %s", name);
        }
    }
    return copy_owner_and_times(to, &status) < 0 ? err_sys(err, "copy %s", name) : 0;
}

static int copy_directory(int from_dir, int to_dir, const char *name, int depth, struct err *err) {
    AUTO_FD int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (from < 0 || fstat(from, &status) < 0 || mkdirat(to_dir, name, 0700) < 0) {
        return err_sys(err, "copy directory %s", name);
    }
    AUTO_FD int to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0) {
        return err_sys(err, "copy directory %s", name);
    }
    if (copy_tree(from, to, depth + 1, err) < 0) {
        return -1;
    }
    return copy_owner_and_times(to, &status) < 0 ? err_sys(err, "copy directory %s", name) : 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *status, struct err *err) {
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);
    if (length < 0) {
        return err_sys(err, "copy link %s", name);
    }
    target[length] = '\0';
    if (symlinkat(target, to_dir, name) < 0 || fchownat(to_dir, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "copy link %s", name);
    }
    return 0;
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct err *err) {
    struct stat status;
    if (fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "copy %s", name);
    }
    if (S_ISDIR(status.st_mode)) {
        return copy_directory(from_dir, to_dir, name, depth, err);
    }
    if (S_ISLNK(status.st_mode)) {
        return copy_link(from_dir, to_dir, name, &status, err);
    }
    return S_ISREG(status.st_mode) ? copy_file(from_dir, to_dir, name, err) : 0;
}

static int copy_tree(int from_fd, int to_fd, int depth, struct err *err) {
    if (depth > MAX_DEPTH) {
        return err_set(err, ERR_INPUT, "a tree deeper than %d directories cannot be copied into a tmpfs", MAX_DEPTH);
    }
    AUTO_DIR DIR *stream = dir_stream(from_fd);
    if (!stream) {
        return err_sys(err, "read the directory to copy");
    }
    for (;;) {
        const struct dirent *entry = dir_next(stream);
        if (!entry) {
            return errno ? err_sys(err, "read the directory to copy") : 0;
        }
        if (copy_entry(from_fd, to_fd, entry->d_name, depth, err) < 0) {
            return -1;
        }
    }
}

int copy_up_into(int from_fd, int to_fd, struct err *err) {
    struct stat status;
    if (fstat(from_fd, &status) < 0) {
        return err_sys(err, "look at the directory to copy");
    }
    // The tmpfs also takes the directory's own mode and owner.
    if (fchownat(to_fd, "", status.st_uid, status.st_gid, AT_EMPTY_PATH) < 0 || fchmodat(to_fd, ".", status.st_mode & 07777, 0) < 0) {
        return err_sys(err, "set the owner of the tmpfs");
    }
    return copy_tree(from_fd, to_fd, 0, err) < 0 ? err_in(err, "fill the tmpfs from the image") : 0;
}
