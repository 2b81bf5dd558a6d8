#include "runtime/base/fd.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void fd_close(int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        *fd = -1;
        errno = saved;
    }
}

void fd_cleanup(int *fd) {
    fd_close(fd);
}

int fd_take(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

int fd_write_all(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

ssize_t fd_read_full(int fd, void *data, size_t size) {
    char *at = data;
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, at + done, size - done);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static ssize_t read_once(int fd, void *data, size_t size) {
    for (;;) {
        ssize_t got = read(fd, data, size);
        if (got >= 0 || errno != EINTR) {
            return got;
        }
    }
}

int fd_read_rest(int fd, size_t max_bytes, const char *what, char **ret_data, size_t *ret_size, struct err *err) {
    // One byte more than the file's size is asked for. A regular file that has a size gives all it has in one read; those of the
    // kernel have none and are read up to their end.
    struct stat status;
    bool sized = false;
    size_t room = 4096;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        if ((uintmax_t)status.st_size > max_bytes) {
            return err_set(err, ERR_INPUT, "%s: is larger than %zu bytes", what, max_bytes);
        }
        room = (size_t)status.st_size + 2;
        sized = true;
    }
    AUTO_FREE char *data = mem_resize(NULL, room, 1);
    size_t used = 0;
    for (;;) {
        if (used + 1 >= room) {
            room *= 2;
            data = mem_resize(data, room, 1);
        }
        size_t wanted = room - used - 1;
        ssize_t got = sized ? read_once(fd, data + used, wanted) : fd_read_full(fd, data + used, wanted);
        if (got < 0) {
            return err_sys(err, "read %s", what);
        }
        used += (size_t)got;
        if (used > max_bytes) {
            return err_set(err, ERR_INPUT, "%s: is larger than %zu bytes", what, max_bytes);
        }
        if ((size_t)got < wanted) {
            break;
        }
    }
    data[used] = '\0';
    *ret_data = data;
    *ret_size = used;
    data = NULL;
    return 0;
}

int fd_read_file(int dir_fd, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size, struct err *err) {
    AUTO_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "open %s", path);
    }
    return fd_read_rest(fd, max_bytes, path, ret_data, ret_size, err);
}

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode) ? "directory" : S_ISFIFO(mode) ? "pipe" : S_ISSOCK(mode) ? "socket" : "device";
}

ssize_t fd_read_file_into(struct arena *arena, const char *path, int flags, size_t max_bytes, const char **ret_text,
                          struct err *err) {
    AUTO_FD int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | flags);
    struct stat status;
    if (fd < 0) {
        return err_sys(err, "open %s", path);
    }
    if (fstat(fd, &status) < 0) {
        return err_sys(err, "look at %s", path);
    }
    if ((flags & O_NONBLOCK) && !S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INPUT, "%s: expected a regular file, found a %s", path, kind_of(status.st_mode));
    }
    // A regular file that has a size is read in one call; one that grows meanwhile, from the start again.
    if (S_ISREG(status.st_mode) && status.st_size > 0 && (uintmax_t)status.st_size <= max_bytes) {
        size_t room = (size_t)status.st_size + 1;
        char *text = arena_alloc(arena, room);
        ssize_t got = read_once(fd, text, room);
        if (got < 0) {
            return err_sys(err, "read %s", path);
        }
        if ((size_t)got < room) {
            text[got] = '\0';
            *ret_text = text;
            return got;
        }
        if (lseek(fd, 0, SEEK_SET) < 0) {
            return err_sys(err, "read %s", path);
        }
    }
    AUTO_FREE char *data = NULL;
    size_t size;
    if (fd_read_rest(fd, max_bytes, path, &data, &size, err) < 0) {
        return -1;
    }
    *ret_text = arena_copy(arena, data, size);
    return (ssize_t)size;
}

int fd_write_file(int dir_fd, const char *path, const char *text, struct err *err) {
    AUTO_FD int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, "open %s", path);
    }
    size_t size = strlen(text);
    ssize_t written;
    do {
        written = write(fd, text, size);
    } while (written < 0 && errno == EINTR);
    if (written < 0 || (size_t)written != size) {
        if (written >= 0) {
            errno = EIO;
        }
        return err_sys(err, "write \"%s\" to %s", text, path);
    }
    return 0;
}

static int replace_file(int dir_fd, const char *name, const struct iovec *data, mode_t mode, bool synced, struct err *err) {
    AUTO_FREE char *temporary = mem_format("%s.new", name);
    AUTO_FD int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_sys(err, "create %s", temporary);
    }
    if (fd_write_all(fd, data->iov_base, data->iov_len) < 0 || (synced && fsync(fd) < 0)) {
        int saved = errno;
        unlinkat(dir_fd, temporary, 0);
        return err_num(err, saved, "write %s", temporary);
    }
    if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
        return err_sys(err, "rename %s to %s", temporary, name);
    }
    return synced && fsync(dir_fd) < 0 ? err_sys(err, "write the folder of %s to disk", name) : 0;
}

int fd_replace_file(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, struct err *err) {
    const struct iovec all = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    return replace_file(dir_fd, name, &all, mode, false, err);
}

int fd_replace_file_synced(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, struct err *err) {
    const struct iovec all = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    return replace_file(dir_fd, name, &all, mode, true, err);
}
