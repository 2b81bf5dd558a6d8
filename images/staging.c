#include "images/staging.h"

#include "images/store.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/kernel/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 64 };

// A sweeper may come between mkdir and flock, and take the directory for a dead one's.
static bool is_ours(int fd) {
    struct stat status;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 && status.st_nlink > 0;
}

int staging_init(struct staging *staging, const struct store *store, struct err *err) {
    for (int i = 0; i < TRIES; i++) {
        uint64_t number;
        char path[sizeof("staging/") + sizeof(staging->name)];
        if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
            return err_sys(err, "get a random number");
        }
        snprintf(staging->name, sizeof(staging->name), "%016" PRIx64, number);
        snprintf(path, sizeof(path), "staging/%s", staging->name);
        if (mkdirat(store->fd, path, 0700) < 0) {
            if (errno == EEXIST) {
                continue;
            }
            return err_sys(err, "make directory %s/%s", store->path, path);
        }
        AUTO_FD int fd = openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && is_ours(fd)) {
            staging->store = store;
            staging->fd = fd_take(&fd);
            return 0;
        }
    }
    return err_set(err, ERR_STATE, "cannot make a directory of our own in %s/staging", store->path);
}

// A worker that outlives its dead parent for a moment may still add to what is being removed.
static int remove_patiently(int staging_fd, const char *name, struct err *err) {
    for (int i = 0;; i++) {
        if (tree_remove(staging_fd, name, err) == 0) {
            return 0;
        }
        if (err->errnum != ENOTEMPTY || i == TRIES) {
            return -1;
        }
        usleep(1000);
    }
}

void staging_finish(struct staging *staging) {
    if (!staging->store) {
        return;
    }
    AUTO_FD int parent = openat(staging->store->fd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err err = {0};
    if (parent >= 0 && remove_patiently(parent, staging->name, &err) < 0) {
        log_warn("clean up %s/staging: %s", staging->store->path, err.text);
    }
    fd_close(&staging->fd);
    *staging = (struct staging){0};
}

int staging_write(const struct staging *staging, const char *name, const void *data, size_t size, struct err *err) {
    AUTO_FD int fd = openat(staging->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, data, size) < 0) {
        return err_sys(err, "write %s in the store", name);
    }
    return 0;
}

int staging_make_dir(const struct staging *staging, const char *name, struct err *err) {
    int fd = -1;
    if (mkdirat(staging->fd, name, 0700) == 0) {
        fd = openat(staging->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "make directory %s in the store", name) : fd;
}

int staging_sync(const struct staging *staging, struct err *err) {
    return syncfs(staging->fd) < 0 ? err_sys(err, "write the image to disk") : 0;
}

static void close_stream(DIR **stream) {
    if (*stream) {
        closedir(*stream);
    }
}

size_t staging_sweep(const struct store *store) {
    AUTO_FD int parent = openat(store->fd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int listed = parent < 0 ? -1 : fcntl(parent, F_DUPFD_CLOEXEC, 0);
    AUTO(close_stream) DIR *stream = listed < 0 ? NULL : fdopendir(listed);
    size_t removed = 0;
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        AUTO_FD int fd = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
            continue; // its owner lives
        }
        struct err err = {0};
        if (remove_patiently(parent, entry->d_name, &err) < 0) {
            log_warn("clean up %s/staging: %s", store->path, err.text);
        }
        removed++;
    }
    return removed;
}
