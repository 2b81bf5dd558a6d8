#include "runtime/engine/links.h"

#include "runtime/base/attr.h"
#include "runtime/base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void close_stream(DIR **stream) {
    if (*stream) {
        closedir(*stream);
    }
}

void links_remove(int dir_fd, const char *container) {
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(close_stream) DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        fd_close(&fd);
        return;
    }
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        char owner[NAME_MAX + 1];
        ssize_t length = readlinkat(fd, entry->d_name, owner, sizeof(owner) - 1);
        if (length > 0 && (size_t)length == strlen(container) && memcmp(owner, container, (size_t)length) == 0) {
            unlinkat(fd, entry->d_name, 0);
        }
    }
}
