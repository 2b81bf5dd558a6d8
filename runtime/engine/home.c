#include "runtime/engine/home.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/engine/engine.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void home_finish(struct home *home) {
    fd_close(&home->store_fd);
    fd_close(&home->containers_fd);
    fd_close(&home->names_fd);
    fd_close(&home->live_fd);
    free(home->live_path);
    home->live_path = NULL;
}

// The store and what is above it, for the owner alone; others may pass through to nothing.
static int open_store(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (dir_make(path, 0755, 0700, err) < 0) {
            return -1;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open store %s", path) : fd;
}

// What is made below has nothing to do with each other: ext4 lays each container's files where no other's are (chattr(1), T). It
// gives out no inode that was deleted in the last seconds, and looks at each of those nearby for every file that is made: 4 to 10 %
// of a start where others have just ended, measured. Other file systems know no such thing.
static void spread(int folder_fd) {
    int flags;
    if (ioctl(folder_fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(folder_fd, FS_IOC_SETFLAGS, &flags);
    }
}

static int open_folder(int store_fd, const char *name, struct err *err) {
    int fd = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && (mkdirat(store_fd, name, 0711) == 0 || errno == EEXIST)) {
        fd = openat(store_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && strcmp(name, "containers") == 0) {
            spread(fd);
        }
    }
    return fd < 0 ? err_sys(err, "open the store's folder %s", name) : fd;
}

// Others may pass through: a container's processes, whose ids are nobody's, find the files there that are bound into it.
// *ret_path is the caller's.
static int open_live(const char *store, int store_fd, const char *root, char **ret_path, struct err *err) {
    struct stat status;
    if (fstat(store_fd, &status) < 0) {
        return err_sys(err, "look at the store %s", store);
    }
    const char *path = *ret_path =
        mem_format("%s/containers/%llx.%llx", root, (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        // An ordinary user's lies below XDG_RUNTIME_DIR, where only what is sticky is never cleaned away.
        mode_t mode = geteuid() == 0 ? 0711 : 01700;
        if (dir_make(path, mode, mode, err) < 0) {
            return -1;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open the run-time directory %s", path) : fd;
}

int home_open_live(const struct engine *engine, struct err *err) {
    AUTO_FREE char *path = NULL;
    AUTO_FD int store_fd = open_store(engine->store, err);
    return store_fd < 0 ? -1 : open_live(engine->store, store_fd, engine->root, &path, err);
}

int home_open(const struct engine *engine, struct home *ret_home, struct err *err) {
    *ret_home = (struct home){
        .store = engine->store,
        .root = engine->root,
        .oci_root = engine->oci_root,
        .user_bus = engine->user_bus,
        .rootless = geteuid() != 0,
        .store_fd = -1,
        .containers_fd = -1,
        .names_fd = -1,
        .live_fd = -1,
    };
    struct home *home = ret_home;
    home->store_fd = open_store(home->store, err);
    if (home->store_fd < 0 || (home->containers_fd = open_folder(home->store_fd, "containers", err)) < 0 ||
        (home->names_fd = open_folder(home->store_fd, "names", err)) < 0 ||
        (home->live_fd = open_live(home->store, home->store_fd, engine->root, &home->live_path, err)) < 0) {
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

int home_enter(int userns_fd, struct err *err) {
    return setns(userns_fd, CLONE_NEWUSER) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0
               ? err_sys(err, "enter the user namespace")
               : 0;
}

// The child's last words come back in memory that both have.
int home_do_inside(const struct home *home, int (*work)(void *context, struct err *err), void *context, struct err *err) {
    if (!home->rootless) {
        return work(context, err);
    }
    AUTO_FD int userns = home_user_namespace(home, err);
    if (userns < 0) {
        return -1;
    }
    struct err *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) {
        return err_sys(err, "get memory");
    }
    pid_t child = process_clone(0, -1, NULL);
    if (child == 0) {
        int result = home_enter(userns, told) < 0 ? -1 : work(context, told);
        _exit(result < 0 ? 1 : 0);
    }
    int status = 1, result = child < 0 ? err_sys(err, "start a process") : 0;
    while (result == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (result == 0 && status != 0) {
        *err = *told;
        result = *told->text ? -1 : err_set(err, ERR_SYSTEM, "a process of ours was killed");
    }
    munmap(told, sizeof(*told));
    return result;
}

struct removal {
    int dir_fd;
    const char *name;
    struct tree_graves *graves;
};

static int remove_tree(void *context, struct err *err) {
    const struct removal *removal = context;
    return tree_remove_later(removal->dir_fd, removal->name, removal->graves, err);
}

// Files of a rootless container belong to subordinate ids.
int home_remove_tree(const struct home *home, int dir_fd, const char *name, struct err *err) {
    struct removal removal = {dir_fd, name, home->graves};
    return home->rootless && home->own.single_id ? remove_tree(&removal, err) : home_do_inside(home, remove_tree, &removal, err);
}
