#include "runtime/engine/log_chain.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/engine/log_options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void log_chain_finish(struct log_chain *chain) {
    fd_close(&chain->dir_fd);
}

int log_chain_open(int container_fd, const char *path, struct log_chain *ret, struct err *err) {
    if (!path) {
        int dir_fd = openat(container_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *ret = (struct log_chain){.dir_fd = dir_fd, .name = LOG_FILE_NAME};
        return dir_fd < 0 ? err_sys(err, "open the container's folder") : 0;
    }
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = mem_format("%.*s/", (int)(slash - path), path);
    *ret = (struct log_chain){.dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .name = slash + 1};
    return ret->dir_fd < 0 ? err_sys(err, "open %s, the folder of the log", folder) : 0;
}

int log_chain_append(const struct log_chain *chain, struct err *err) {
    // Read too: whether it ends in the middle of a line. Without waiting for whoever is at the other end of a pipe.
    AUTO_FD int fd =
        openat(chain->dir_fd, chain->name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, (mode_t)0600);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open the log %s", chain->name);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INPUT, "the log %s: expected a regular file", chain->name);
    }
    return fd_take(&fd);
}

static const char *numbered(const struct log_chain *chain, int number, char name[NAME_MAX + 1]) {
    snprintf(name, NAME_MAX + 1, number ? "%s.%d" : "%s", chain->name, number);
    return name;
}

int log_chain_next(const struct log_chain *chain, int max_files) {
    char from[NAME_MAX + 1], to[NAME_MAX + 1];
    AUTO_FREE char *fresh = mem_format("%s.new", chain->name);
    AUTO_FD int fd = openat(chain->dir_fd, fresh, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, (mode_t)0600);
    if (fd < 0) {
        return -1;
    }
    int free_number = 0; // the first that is, or that of the oldest, which goes
    while (free_number < max_files - 1 &&
           faccessat(chain->dir_fd, numbered(chain, free_number, to), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        free_number++;
    }
    for (int number = free_number; number > 0; number--) {
        renameat(chain->dir_fd, numbered(chain, number - 1, from), chain->dir_fd, numbered(chain, number, to));
    }
    if (renameat(chain->dir_fd, fresh, chain->dir_fd, chain->name) < 0) {
        return -1;
    }
    return fd_take(&fd);
}

static bool same_file(int a, int b) {
    struct stat left, right;
    return a >= 0 && b >= 0 && fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

static void close_all(int *fds, int count) {
    while (count > 0) {
        fd_close(&fds[--count]);
    }
}

// Opens one file; *ret_fd is -1 where there is none.
static int open_one(const struct log_chain *chain, int number, int *ret_fd, struct err *err) {
    char name[NAME_MAX + 1];
    struct stat status;
    AUTO_FD int fd =
        openat(chain->dir_fd, numbered(chain, number, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    *ret_fd = -1;
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return err_sys(err, "open the log %s", name);
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_INPUT, "the log %s: expected a regular file", name);
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

// -2: files have moved by more than one number meanwhile, so that their order is not known.
static int read_once(const struct log_chain *chain, int known, int *ret_fds, bool *ret_found, struct err *err) {
    int count = 0, missing = 0;
    *ret_found = false;
    for (int number = 0; missing < 2 && !*ret_found && count < LOG_MOST_FILES; number++) {
        AUTO_FD int fd = -1;
        if (open_one(chain, number, &fd, err) < 0) {
            close_all(ret_fds, count);
            return -1;
        }
        missing = fd < 0 ? missing + 1 : 0;
        *ret_found = same_file(fd, known);
        int same = 0;
        while (same < count && !same_file(fd, ret_fds[same])) {
            same++;
        }
        if (same < count - 1) {
            close_all(ret_fds, count);
            return -2;
        }
        if (fd >= 0 && !*ret_found && same == count) {
            ret_fds[count++] = fd_take(&fd);
        }
    }
    return count;
}

int log_chain_read(const struct log_chain *chain, int known, int *ret_fds, bool *ret_found, struct err *err) {
    enum { ATTEMPTS = 100 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int count = read_once(chain, known, ret_fds, ret_found, err);
        if (count != -2) {
            return count;
        }
    }
    return err_set(err, ERR_STATE, "the log's files change too fast to be read; give it a larger max-size");
}
