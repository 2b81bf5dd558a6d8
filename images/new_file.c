#include "images/new_file.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TRIES = 200, WAITED_TRIES = 100, TRY_NS = 1000000 };

static bool is_still(int dir_fd, const char *name, int fd) {
    struct stat one, other;
    return fstat(fd, &one) == 0 && fstatat(dir_fd, name, &other, AT_SYMLINK_NOFOLLOW) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static bool is_ours(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() && status.st_nlink <= 1;
}

// The lock tells one that is being written from one that a dead process has left. What another user has put there is not written
// to: he would own the result.
static int open_named(struct new_file *file, struct err *err) {
    for (int i = 0; i < MAX_TRIES; i++) {
        AUTO_FD int fd = openat(file->dir_fd, file->own_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) {
            return err_sys(err, "make %s", file->own_name);
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            return errno == EWOULDBLOCK ? err_set(err, ERR_STATE, "another process is writing the same: %s", file->own_name)
                                        : err_sys(err, "lock %s", file->own_name);
        }
        if (!is_ours(fd)) {
            return err_set(err, ERR_STATE, "somebody else's file is in the way: %s", file->own_name);
        }
        if (is_still(file->dir_fd, file->own_name, fd)) {
            if (ftruncate(fd, 0) < 0) {
                return err_sys(err, "empty %s", file->own_name);
            }
            file->is_named = true;
            file->fd = fd_take(&fd);
            return 0;
        }
    }
    return err_set(err, ERR_STATE, "others keep writing the same: %s", file->own_name);
}

static int open_nameless(int dir_fd) {
    return openat(dir_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

static bool knows_no_nameless(int reason) { // no file system knows why not
    return reason == EOPNOTSUPP || reason == EISDIR || reason == ENOENT;
}

int new_file_open(struct new_file *file, int dir_fd, const char *own_name, struct err *err) {
    *file = (struct new_file){.dir_fd = dir_fd, .fd = open_nameless(dir_fd)};
    snprintf(file->own_name, sizeof(file->own_name), "%s", own_name);
    if (file->fd < 0 && knows_no_nameless(errno)) {
        return open_named(file, err);
    }
    return file->fd < 0 ? err_sys(err, "make a file") : 0;
}

// The folder may be everybody's, and somebody in the way.
int new_file_nameless(int dir_fd, struct err *err) {
    char name[64];
    AUTO_FD int fd = open_nameless(dir_fd);
    for (int i = 0; fd < 0 && (i == 0 ? knows_no_nameless(errno) : errno == EEXIST && i < MAX_TRIES); i++) {
        snprintf(name, sizeof(name), ".coffer-spool-%d.%d", (int)getpid(), i);
        fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)unlinkat(dir_fd, name, 0);
        }
    }
    return fd < 0 ? err_sys(err, "make a temporary file") : fd_take(&fd);
}

void new_file_finish(struct new_file *file) {
    if (file->is_named && is_still(file->dir_fd, file->own_name, file->fd)) {
        (void)unlinkat(file->dir_fd, file->own_name, 0);
    }
    file->is_named = false;
    fd_close(&file->fd);
}

static int link_as(const struct new_file *file, const char *name) {
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
    return linkat(AT_FDCWD, self, file->dir_fd, name, AT_SYMLINK_FOLLOW);
}

// A link cannot replace a file, a rename can; between the two, for a moment, it has a name of its own. Who finds another's there
// waits; one that stays has been left by a dead process.
static int link_for_rename(const struct new_file *file) {
    const struct timespec pause = {.tv_nsec = TRY_NS};
    for (int i = 0; link_as(file, file->own_name) < 0; i++) {
        if (errno != EEXIST || i == MAX_TRIES) {
            return -1;
        }
        if (i < WAITED_TRIES) {
            (void)nanosleep(&pause, NULL);
        } else if (unlinkat(file->dir_fd, file->own_name, 0) < 0 && errno != ENOENT) {
            return -1;
        }
    }
    return 0;
}

static int replace(struct new_file *file, const char *name) {
    if (!file->is_named && link_for_rename(file) < 0) {
        return -1;
    }
    if (renameat(file->dir_fd, file->own_name, file->dir_fd, name) < 0) {
        int reason = errno;
        (void)unlinkat(file->dir_fd, file->own_name, 0);
        errno = reason;
        return -1;
    }
    file->is_named = false;
    return 0;
}

static int put(struct new_file *file, const struct new_file_place *place) {
    if (!file->is_named && link_as(file, place->name) == 0) {
        return 0;
    }
    if (!file->is_named && errno != EEXIST) {
        return -1;
    }
    if (!place->replace && faccessat(file->dir_fd, place->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return 0;
    }
    return replace(file, place->name);
}

int new_file_place(struct new_file *file, const struct new_file_place *place, struct err *err) {
    if (fchmod(file->fd, place->mode) < 0 || fsync(file->fd) < 0) {
        return err_sys(err, "write it to disk");
    }
    return put(file, place) < 0 ? err_sys(err, "put it in its place as %s", place->name) : 0;
}
