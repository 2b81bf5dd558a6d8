#include "images/new_archive.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_stream(struct new_archive *archive, int give_fd, struct err *err) {
    AUTO_FD int fd = give_fd;
    if (isatty(fd)) {
        return err_set(err, ERR_INPUT, "%s is a terminal; send the archive to a file or a pipe", archive->path);
    }
    archive->fd = fd_take(&fd);
    return 0;
}

// A link leads to the file that is replaced, so that /dev/stdout stays what it is.
static int open_new(struct new_archive *archive, const char *path, struct err *err) {
    AUTO_FREE char *copy = mem_copy_string(path);
    char *slash = strrchr(copy, '/'), own[NAME_MAX + 32];
    const char *directory = !slash ? "." : slash == copy ? "/" : copy, *name = slash ? slash + 1 : copy;
    archive->name = mem_copy_string(name);
    if (slash) {
        *slash = '\0';
    }
    if (!*name || strlen(name) > NAME_MAX - 16) {
        return err_set(err, ERR_INPUT, "%s: expected a file's name of at most %d letters", archive->path, NAME_MAX - 16);
    }
    archive->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (archive->dir_fd < 0) {
        return err_sys(err, "open directory %s", directory);
    }
    snprintf(own, sizeof(own), ".%s.coffer-new", name);
    if (new_file_open(&archive->file, archive->dir_fd, own, err) < 0) {
        return err_in(err, "%s", archive->path);
    }
    archive->fd = archive->file.fd;
    return 0;
}

int new_archive_open(struct new_archive *archive, const char *path, int output_fd, struct err *err) {
    struct stat status;
    *archive = (struct new_archive){.fd = -1, .path = path, .dir_fd = -1, .file.fd = -1};
    if (strcmp(path, "-") == 0) {
        archive->path = "standard output";
        int fd = fcntl(output_fd, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? err_sys(err, "write to standard output") : open_stream(archive, fd, err);
    }
    if (stat(path, &status) < 0) {
        return errno == ENOENT ? open_new(archive, path, err) : err_sys(err, "look at %s", path);
    }
    if (S_ISDIR(status.st_mode)) {
        return err_set(err, ERR_INPUT, "%s is a directory, expected a file", path);
    }
    if (!S_ISREG(status.st_mode)) {
        int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? err_sys(err, "open %s", path) : open_stream(archive, fd, err);
    }
    AUTO_FREE char *real = realpath(path, NULL);
    return real ? open_new(archive, real, err) : err_sys(err, "look at %s", path);
}

int new_archive_done(struct new_archive *archive, struct err *err) {
    if (archive->dir_fd < 0) {
        return 0;
    }
    mode_t mask = umask(0);
    umask(mask);
    const struct new_file_place place = {.name = archive->name, .mode = 0666 & ~mask, .replace = true};
    if (new_file_place(&archive->file, &place, err) < 0) {
        return err_in(err, "%s", archive->path);
    }
    return fsync(archive->dir_fd) < 0 ? err_sys(err, "write %s to disk", archive->path) : 0;
}

void new_archive_finish(struct new_archive *archive) {
    if (archive->dir_fd >= 0) {
        archive->fd = -1; // the new file's
        new_file_finish(&archive->file);
        fd_close(&archive->dir_fd);
    }
    fd_close(&archive->fd);
    free(archive->name);
    archive->name = NULL;
}
