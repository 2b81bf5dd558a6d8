#include "runtime/engine/links.h"

#include "runtime/base/dir.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

void links_remove(int dir_fd, const char *container) {
    AUTO_DIR DIR *stream = dir_stream(dir_fd);
    for (const struct dirent *entry = stream ? dir_next(stream) : NULL; entry; entry = dir_next(stream)) {
        char owner[NAME_MAX + 1];
        ssize_t length = readlinkat(dir_fd, entry->d_name, owner, sizeof(owner) - 1);
        if (length > 0 && (size_t)length == strlen(container) && memcmp(owner, container, (size_t)length) == 0) {
            unlinkat(dir_fd, entry->d_name, 0);
        }
    }
}
