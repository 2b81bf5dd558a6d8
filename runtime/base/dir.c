#include "runtime/base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
