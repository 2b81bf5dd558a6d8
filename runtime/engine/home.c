#include "runtime/engine/home.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void home_finish(struct home *home) {
    fd_close(&home->store_fd);
    fd_close(&home->containers_fd);
    fd_close(&home->names_fd);
}

// The store and what is above it, for the owner alone; others may pass through to nothing.
static int open_store(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        AUTO_FREE char *copy = mem_copy_string(path);
        for (char *at = strchr(copy + 1, '/');; at = strchr(at + 1, '/')) {
            if (at) {
                *at = '\0';
            }
            if (mkdir(copy, at ? 0755 : 0700) < 0 && errno != EEXIST) {
                return err_sys(err, "make directory %s", copy);
            }
            if (!at) {
                break;
            }
            *at = '/';
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open store %s", path) : fd;
}

static int open_folder(int store_fd, const char *name, struct err *err) {
    int fd = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && (mkdirat(store_fd, name, 0711) == 0 || errno == EEXIST)) {
        fd = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open the store's folder %s", name) : fd;
}

int home_open(const char *store, const char *oci_root, struct home *ret_home, struct err *err) {
    *ret_home = (struct home){
        .store = store, .oci_root = oci_root, .rootless = geteuid() != 0, .store_fd = -1, .containers_fd = -1, .names_fd = -1};
    struct home *home = ret_home;
    home->store_fd = open_store(store, err);
    if (home->store_fd < 0 || (home->containers_fd = open_folder(home->store_fd, "containers", err)) < 0 ||
        (home->names_fd = open_folder(home->store_fd, "names", err)) < 0) {
        home_finish(home);
        return -1;
    }
    if (home->rootless) {
        userns_read_own(&home->own);
    }
    return 0;
}

int home_user_namespace(const struct home *home, struct err *err) {
    return userns_create(&home->own.uids, &home->own.gids, err);
}
