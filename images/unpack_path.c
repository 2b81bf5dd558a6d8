#include "images/unpack_path.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int unpack_path_clean(const char *name, const char *what, char ret_path[PATH_MAX], struct err *err) {
    size_t used = 0;
    if (*name == '\0') {
        return err_set(err, ERR_INPUT, "%s is empty", what);
    }
    for (const char *at = name; *at;) {
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            return err_set(err, ERR_INPUT, "%s has a \"..\" component", what);
        }
        if (length > NAME_MAX) {
            return err_set(err, ERR_INPUT, "%s has a component of more than %d bytes", what, NAME_MAX);
        }
        if (length > 0 && !(length == 1 && at[0] == '.')) {
            if (used + 1 + length >= PATH_MAX) {
                return err_set(err, ERR_INPUT, "%s is longer than %d bytes", what, PATH_MAX - 1);
            }
            if (used > 0) {
                ret_path[used++] = '/';
            }
            memcpy(ret_path + used, at, length);
            used += length;
        }
        at += length;
        at += *at == '/' ? 1 : 0;
    }
    if (used == 0) {
        ret_path[used++] = '.';
    }
    ret_path[used] = '\0';
    return 0;
}

void unpack_parents_init(struct unpack_parents *parents, int root_fd, gid_t gid) {
    *parents = (struct unpack_parents){.root_fd = root_fd, .gid = gid};
}

void unpack_parents_clear(struct unpack_parents *parents) {
    for (size_t i = 0; i < UNPACK_CACHED_PARENTS; i++) {
        struct unpack_cached_parent *cached = &parents->cached[i];
        if (cached->path) {
            free(cached->path);
            close(cached->parent.fd);
            *cached = (struct unpack_cached_parent){0};
        }
    }
}

void unpack_parents_finish(struct unpack_parents *parents) {
    unpack_parents_clear(parents);
    *parents = (struct unpack_parents){.root_fd = -1};
}

static bool is_cached(const struct unpack_cached_parent *cached, const char *path, size_t length) {
    return cached->path && cached->length == length && memcmp(cached->path, path, length) == 0;
}

static struct unpack_cached_parent *find(struct unpack_parents *parents, const char *path, size_t length) {
    for (unsigned i = 0; i < UNPACK_CACHED_PARENTS; i++) {
        unsigned slot = (parents->newest + UNPACK_CACHED_PARENTS - i) % UNPACK_CACHED_PARENTS;
        if (is_cached(&parents->cached[slot], path, length)) {
            parents->newest = slot;
            return &parents->cached[slot];
        }
    }
    return NULL;
}

int unpack_parents_open(struct unpack_parents *parents, const char *path, struct unpack_parent *ret_parent, const char **ret_name) {
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    *ret_name = slash ? slash + 1 : path;
    struct unpack_cached_parent *cached = find(parents, path, length);
    if (!cached) {
        char directory[PATH_MAX] = ".";
        if (length > 0) {
            memcpy(directory, path, length);
            directory[length] = '\0';
        }
        const struct open_how how = {
            .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
        };
        AUTO_FD int fd = sys_openat2(parents->root_fd, directory, &how);
        struct stat status;
        if (fd < 0 || fstat(fd, &status) < 0) {
            return -1;
        }
        parents->next = (parents->next + 1) % UNPACK_CACHED_PARENTS;
        cached = &parents->cached[parents->next];
        if (cached->path) {
            free(cached->path);
            close(cached->parent.fd);
        }
        *cached = (struct unpack_cached_parent){
            .path = mem_copy_string(directory),
            .length = length,
            .parent = {.fd = fd_take(&fd), .other_group = status.st_gid != parents->gid},
        };
        parents->newest = parents->next;
    }
    *ret_parent = cached->parent;
    return 0;
}
