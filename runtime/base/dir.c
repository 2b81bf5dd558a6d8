#include "runtime/base/dir.h"

#include "runtime/base/err.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void dir_cleanup(DIR **stream) {
    if (*stream) {
        closedir(*stream);
    }
}

DIR *dir_stream(int dir_fd) {
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream && copy >= 0) {
        int reason = errno;
        close(copy);
        errno = reason;
    }
    return stream;
}

const struct dirent *dir_next(DIR *stream) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry || (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)) {
            return entry;
        }
    }
}

int dir_make(const char *path, mode_t above, mode_t last, struct err *err) {
    AUTO_FREE char *copy = mem_copy_string(path);
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash) {
            *slash = '\0';
        }
        if (mkdir(copy, slash ? above : last) < 0 && errno != EEXIST) {
            return err_sys(err, "make directory %s", copy);
        }
        if (!slash) {
            return 0;
        }
        *slash = '/';
    }
}
