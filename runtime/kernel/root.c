#include "runtime/kernel/root.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETRIES = 64 };

int root_try_open(int root_fd, const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    // EAGAIN: a rename or mount elsewhere raced with a ".." of the path; openat2(2) asks to try again.
    for (int i = 0; i < RETRIES; i++) {
        int fd = sys_openat2(root_fd, path, &how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            return fd;
        }
    }
    return -1;
}

int root_open(int root_fd, const char *path, int flags, struct err *err) {
    int fd = root_try_open(root_fd, path, flags);
    return fd < 0 ? err_sys(err, "open %s in the root file system", path) : fd;
}

// Opens or makes one directory below dir_fd. A symbolic link is followed within the root: `so_far` is the path up to and with it.
static int make_component(int root_fd, int dir_fd, const char *so_far, const char *name, mode_t mode, bool *ret_made) {
    *ret_made = false;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return root_try_open(root_fd, so_far, O_PATH | O_DIRECTORY);
    }
    if (mkdirat(dir_fd, name, mode) == 0) {
        *ret_made = true;
        return openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (errno != EEXIST) {
        return -1;
    }
    return root_try_open(root_fd, so_far, O_PATH | O_DIRECTORY);
}

// Mostly only the last component is missing. -1 with ENOENT where that is not so.
static int make_last(int root_fd, const char *path, mode_t mode, bool *ret_made) {
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (*name == '\0' || length >= sizeof(parent)) {
        errno = ENOENT;
        return -1;
    }
    memcpy(parent, path, length);
    parent[length] = '\0';
    AUTO_FD int at = root_try_open(root_fd, length ? parent : "/", O_PATH | O_DIRECTORY);
    return at < 0 ? -1 : make_component(root_fd, at, path, name, mode, ret_made);
}

// Walks the path and makes what is missing.
static int walk(int root_fd, const char *path, mode_t mode, bool *ret_made) {
    char so_far[PATH_MAX];
    if (strlen(path) >= sizeof(so_far)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    AUTO_FD int at = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        return -1;
    }
    size_t used = 0;
    for (const char *next = path; *next;) {
        size_t length = strcspn(next, "/");
        if (length == 0) {
            next++;
            continue;
        }
        char name[NAME_MAX + 1];
        if (length > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, next, length);
        name[length] = '\0';
        memcpy(so_far + used, name, length);
        used += length;
        so_far[used] = '\0';
        int entered = make_component(root_fd, at, so_far, name, mode, ret_made);
        if (entered < 0) {
            return -1;
        }
        fd_close(&at);
        at = entered;
        so_far[used++] = '/';
        next += length;
    }
    return fd_take(&at);
}

int root_make_missing_dir(int root_fd, const char *path, mode_t mode, bool *ret_made, struct err *err) {
    *ret_made = false;
    int fd = make_last(root_fd, path, mode, ret_made);
    if (fd < 0 && errno == ENOENT) {
        fd = walk(root_fd, path, mode, ret_made);
    }
    return fd < 0 ? err_sys(err, "make directory %s in the root file system", path) : fd;
}

int root_make_dir(int root_fd, const char *path, mode_t mode, struct err *err) {
    bool made;
    int fd = root_try_open(root_fd, path, O_PATH | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT) {
        return root_make_missing_dir(root_fd, path, mode, &made, err);
    }
    return fd < 0 ? err_sys(err, "make directory %s in the root file system", path) : fd;
}

int root_open_parent(int root_fd, const char *path, const char **ret_name, struct err *err) {
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || length >= sizeof(parent)) {
        return err_set(err, ERR_INPUT, "path \"%s\": expected one that ends in a name", path);
    }
    memcpy(parent, path, length);
    parent[length] = '\0';
    int fd = root_make_dir(root_fd, length == 0 ? "." : parent, 0755, err);
    if (fd >= 0) {
        *ret_name = name;
    }
    return fd;
}

int root_make_file(int root_fd, const char *path, struct err *err) {
    AUTO_FD int fd = root_try_open(root_fd, path, O_PATH);
    if (fd < 0) {
        if (errno != ENOENT) {
            return err_sys(err, "open %s in the root file system", path);
        }
        const char *name;
        AUTO_FD int parent = root_open_parent(root_fd, path, &name, err);
        if (parent < 0) {
            return -1;
        }
        // O_EXCL and O_NOFOLLOW: a dangling link at the end is not followed to where it points.
        AUTO_FD int made = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY | O_CLOEXEC, 0644);
        if (made < 0 && errno != EEXIST) {
            return err_sys(err, "make file %s in the root file system", path);
        }
        fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
            return err_sys(err, "open %s in the root file system", path);
        }
    }
    struct stat status;
    if (fstat(fd, &status) < 0 || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode)) {
        return err_set(err, ERR_INPUT, "%s in the root file system is not a file", path);
    }
    return fd_take(&fd);
}

// One look: the parent of the path's last component, and that component. *ret_link: where it leads, "" for what is no link.
static int look_at_last(int root_fd, char *path, char ret_name[NAME_MAX + 1], char ret_link[PATH_MAX], struct err *err) {
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--) {
        path[end - 1] = '\0';
    }
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return err_set(err, ERR_INPUT, "path \"%s\": expected one that ends in a name", path);
    }
    if (snprintf(ret_name, NAME_MAX + 1, "%s", name) > NAME_MAX) {
        return err_num(err, ENAMETOOLONG, "open %s", path);
    }
    const char *parent = !slash ? "." : slash == path ? "/" : path;
    *(slash ? slash : path) = '\0'; // "." and "/" are the same here
    AUTO_FD int fd = root_try_open(root_fd, parent, O_PATH | O_DIRECTORY);
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        err_sys(err, "open directory %s", parent);
        err->kind = missing ? ERR_NOT_FOUND : err->kind;
        return -1;
    }
    ssize_t length = readlinkat(fd, ret_name, ret_link, PATH_MAX);
    if (length >= PATH_MAX) {
        return err_num(err, ENAMETOOLONG, "read the link %s/%s", parent, ret_name);
    }
    ret_link[length < 0 ? 0 : length] = '\0';
    return fd_take(&fd);
}

int root_find_parent(int root_fd, const char *path, char ret_name[NAME_MAX + 1], struct err *err) {
    enum { MAX_LINKS = 40 };
    char at[PATH_MAX], link[PATH_MAX], next[PATH_MAX];
    if (snprintf(at, sizeof(at), "%s", path) >= (int)sizeof(at)) {
        return err_num(err, ENAMETOOLONG, "open %.64s...", path);
    }
    for (int i = 0; i < MAX_LINKS; i++) {
        AUTO_FD int parent = look_at_last(root_fd, at, ret_name, link, err); // cuts the name off
        if (parent < 0) {
            return -1;
        }
        if (*link == '\0') {
            return fd_take(&parent);
        }
        if (snprintf(next, sizeof(next), "%s%s%s", *link == '/' ? "" : at, *link == '/' ? "" : "/", link) >= (int)sizeof(next)) {
            return err_num(err, ENAMETOOLONG, "follow the link %s/%s", at, ret_name);
        }
        memcpy(at, next, sizeof(at));
    }
    return err_num(err, ELOOP, "open %s", path);
}
