// The calling process's own place among the groups.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OWN_MAX_BYTES = 8192 };

uint32_t cgroup_own_hierarchies(void) {
    char text[OWN_MAX_BYTES];
    uint32_t mask = 0;
    AUTO_FD int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        strsep(&line, ":");
        char *names = line ? strsep(&line, ":") : NULL;
        if (!names || !line || strcmp(line, "/") == 0) {
            continue;
        }
        mask |= *names ? 0 : CGROUP_MASK(CGROUP_UNIFIED);
        for (char *name = strsep(&names, ","); name; name = strsep(&names, ",")) {
            mask |= cgroup_controller_mask(name);
        }
    }
    return mask;
}

// The group above the calling process's own in the one hierarchy of version 2, opened; -1 where there is none to be seen.
static int open_above(const struct cgroup_host *host) {
    char text[OWN_MAX_BYTES];
    AUTO_FD int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    char *own = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/"); // the last of several, where there are more
    if (!own) {
        return -1;
    }
    own = strchr(own, '/');
    own[strcspn(own, "\n")] = '\0';
    *strrchr(own, '/') = '\0';
    return cgroup_open_below(host->fd, strlen(own) > 1 ? own + 1 : ".", O_PATH | O_DIRECTORY);
}

uint32_t cgroup_beside(const struct cgroup_host *host, bool *ret_may) {
    char text[CGROUP_TEXT_SIZE];
    uint32_t mask = 0;
    AUTO_FD int fd = host->version == CGROUP_V2 ? open_above(host) : -1;
    *ret_may = fd >= 0 && faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
    if (fd < 0 || cgroup_read_text(fd, "cgroup.controllers", text) < 0) {
        return 0;
    }
    char *state = NULL;
    for (char *name = strtok_r(text, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
        mask |= cgroup_controller_mask(name);
    }
    return mask;
}

static int enter(int dir_fd, bool unified, const char *path, struct err *err) {
    AUTO_FD int fd = openat(dir_fd, unified ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, "0", 1) != 1 ? err_sys(err, "enter cgroup /sys/fs/cgroup/%s", path) : 0;
}

static bool is_unified(const struct cgroup_dir *dir) {
    return (dir->hierarchy->controllers & CGROUP_MASK(CGROUP_UNIFIED)) != 0;
}

int cgroup_enter(const struct cgroup *cgroup, bool born, struct err *err) {
    for (size_t i = 0; i < cgroup->count; i++) {
        const struct cgroup_dir *dir = &cgroup->dirs[i];
        bool unified = is_unified(dir);
        if (!(unified && born) && enter(dir->fd, unified, dir->path, err) < 0) {
            return -1;
        }
    }
    return 0;
}

void cgroup_leave(const struct cgroup *cgroup) {
    for (size_t i = 0; i < cgroup->count; i++) {
        char parent[CGROUP_PATH_SIZE];
        struct err err;
        int size = snprintf(parent, sizeof(parent), "%s", cgroup->dirs[i].path);
        char *slash = size < (int)sizeof(parent) ? strrchr(parent, '/') : NULL;
        *(slash ? slash : parent) = '\0';
        AUTO_FD int fd = cgroup_open_below(cgroup->host->fd, *parent ? parent : ".", O_PATH | O_DIRECTORY);
        if (fd >= 0 && enter(fd, is_unified(&cgroup->dirs[i]), parent, &err) == 0) {
            unlinkat(cgroup->host->fd, cgroup->dirs[i].path, AT_REMOVEDIR);
        }
    }
}
