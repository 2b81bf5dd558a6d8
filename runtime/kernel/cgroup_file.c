#include "runtime/kernel/cgroup_file.h"

#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cgroup_open_below(int dir_fd, const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return sys_openat2(dir_fd, *path ? path : ".", &how);
}

void cgroup_remove_upward(int host_fd, char *path, long levels) {
    while (levels-- > 0 && (unlinkat(host_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)) {
        char *slash = strrchr(path, '/');
        if (!slash) {
            break;
        }
        *slash = '\0';
    }
}

int cgroup_write_text(int dir_fd, const char *file, const char *text) {
    AUTO_FD int fd = openat(dir_fd, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t size = strlen(text);
    ssize_t written;
    do {
        written = write(fd, text, size);
    } while (written < 0 && errno == EINTR);
    if (written >= 0 && (size_t)written != size) {
        errno = EIO;
        return -1;
    }
    return written < 0 ? -1 : 0;
}

int cgroup_read_text(int dir_fd, const char *file, char room[CGROUP_TEXT_SIZE]) {
    room[0] = '\0';
    AUTO_FD int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    // The kernel gives such a file whole, as far as there is room.
    ssize_t got = read(fd, room, CGROUP_TEXT_SIZE - 1);
    if (got < 0) {
        room[0] = '\0';
        return -1;
    }
    if (got > 0 && room[got - 1] == '\n') {
        got--;
    }
    room[got] = '\0';
    return 0;
}

static uint64_t number(const char *text) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return end == text || *text == '-' || errno != 0 ? UINT64_MAX : value;
}

uint64_t cgroup_read_number(int dir_fd, const char *file) {
    char text[CGROUP_TEXT_SIZE];
    return cgroup_read_text(dir_fd, file, text) < 0 ? UINT64_MAX : number(text);
}

uint64_t cgroup_find_number(const char *text, const char *key) {
    size_t size = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) == 0 && line[size] == ' ') {
            return number(line + size + 1);
        }
    }
    return UINT64_MAX;
}

