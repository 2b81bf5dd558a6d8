#include "images/store.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char version[] = "1\n";

const char *const store_folders[] = {"blobs", "blobs/sha256", "blobs/sha512", "images", "tags", "staging", "layers", NULL};

static int open_folder(const char *path, bool create, struct err *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (!create) {
            return err_set(err, ERR_NOT_FOUND, "there is no store in %s", path);
        }
        // The store itself is its owner's alone; the folders on the way to it are like any other.
        if (dir_make(path, 0755, 0700, err) < 0) {
            return -1;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd < 0 ? err_sys(err, "open the store %s", path) : fd;
}

// Layers hold set-user-id programs and other people's secrets: nobody but the owner may enter.
static int check_owner(const struct store *store, mode_t *ret_mode, struct err *err) {
    struct stat status;
    if (fstat(store->fd, &status) < 0) {
        return err_sys(err, "look at the store %s", store->path);
    }
    if (status.st_uid != geteuid()) {
        return err_set(err, ERR_INPUT, "the store %s belongs to user %u, not to user %u; choose another one with --store",
                       store->path, status.st_uid, geteuid());
    }
    *ret_mode = status.st_mode;
    return 0;
}

// What a store may hold beside its own: what the file system keeps, and the engine; and what is made with its first use.
static bool is_beside(const char *name) {
    static const char *const names[] = {"lost+found", "containers", "names", "ids", "volumes", "partials", "lists"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(names) && !known; i++) {
        known = strcmp(name, names[i]) == 0;
    }
    return known;
}

static bool may_be_there(const char *name) {
    return name[0] == '.' || strncmp(name, "version", 7) == 0 || is_beside(name);
}

bool store_knows(const char *name) {
    bool known = is_beside(name) || strcmp(name, "version") == 0 || strcmp(name, "lock") == 0;
    for (size_t i = 0; store_folders[i] && !known; i++) {
        known = strcmp(name, store_folders[i]) == 0;
    }
    return known;
}

// Only an empty directory becomes a store, or one with the folders of containers: what holds something else is a mistake, and would
// lose its mode.
static int check_empty(const struct store *store, struct err *err) {
    int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        err_sys(err, "list the store %s", store->path);
        fd_close(&fd);
        return -1;
    }
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(stream));) {
        if (!may_be_there(entry->d_name)) {
            result =
                err_set(err, ERR_INPUT, "%s is no store: it holds \"%s\", but no file \"version\"", store->path, entry->d_name);
        }
    }
    closedir(stream);
    return result;
}

// The version comes first: what a process that died here leaves is a store that lacks folders, which the next one makes.
// One process makes it, the others that want it wait: to them it would look like a folder of something else.
static int make_store(const struct store *store, struct err *err) {
    AUTO_FD int lock = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0) {
        return err_sys(err, "lock %s", store->path);
    }
    if (store_has(store, "version")) {
        return 0;
    }
    if (check_empty(store, err) < 0) {
        return -1;
    }
    return fd_replace_file(store->fd, "version", version, sizeof(version) - 1, 0600, err);
}

static int check_version(const struct store *store, bool create, struct err *err) {
    char found[16] = "";
    AUTO_FD int fd = openat(store->fd, "version", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && create) {
        return make_store(store, err);
    }
    ssize_t size = fd < 0 ? -1 : read(fd, found, sizeof(found) - 1);
    if (size < 0) {
        return errno == ENOENT ? err_set(err, ERR_NOT_FOUND, "there is no store in %s", store->path)
                               : err_sys(err, "read %s/version", store->path);
    }
    if (strcmp(found, version) != 0) {
        found[strcspn(found, "\n")] = '\0';
        return err_set(err, ERR_UNSUPPORTED, "the store %s is of version \"%s\"; this program knows version 1", store->path, found);
    }
    return 0;
}

static int open_layers(struct store *store, unsigned flags, struct err *err) {
    bool create = flags & STORE_CREATE;
    store->layers_fd = openat(store->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->layers_fd < 0 && errno == ENOENT && create) {
        for (size_t i = 0; store_folders[i]; i++) {
            if (mkdirat(store->fd, store_folders[i], 0700) < 0 && errno != EEXIST) {
                return err_sys(err, "make directory %s/%s", store->path, store_folders[i]);
            }
        }
        AUTO_FD int lock = openat(store->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        store->layers_fd = lock < 0 ? -1 : openat(store->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    bool is_needed = !(flags & STORE_AS_IT_IS) || errno != ENOENT;
    return store->layers_fd < 0 && is_needed ? err_sys(err, "open %s/layers", store->path) : 0;
}

int store_open(const char *path, unsigned flags, struct store **ret_store, struct err *err) {
    bool create = flags & STORE_CREATE;
    AUTO_STORE struct store *store = mem_alloc(sizeof(*store));
    *store = (struct store){.path = mem_copy_string(path), .fd = -1, .layers_fd = -1, .user_xattr = flags & STORE_USER_XATTR};
    store->fd = open_folder(path, create, err);
    mode_t mode = 0;
    if (store->fd < 0 || check_owner(store, &mode, err) < 0 || check_version(store, create, err) < 0 ||
        open_layers(store, flags, err) < 0) {
        return -1;
    }
    // Restored by a backup, perhaps: set-user-id programs of layers are for nobody else.
    if ((mode & 077) != 0 && !(flags & STORE_AS_IT_IS) && fchmod(store->fd, 0700) < 0) {
        return err_sys(err, "set the mode of the store %s", path);
    }
    *ret_store = store;
    store = NULL;
    return 0;
}

void store_set_mounts(struct store *store, const char *path) {
    free(store->mounts_path);
    store->mounts_path = mem_copy_string(path);
}

void store_close(struct store *store) {
    if (store) {
        fd_close(&store->fd);
        fd_close(&store->layers_fd);
        free(store->path);
        free(store->mounts_path);
        free(store);
    }
}

void store_cleanup(struct store **store) {
    store_close(*store);
    *store = NULL;
}

bool store_has(const struct store *store, const char *path) {
    return faccessat(store->fd, path, F_OK, 0) == 0;
}

int store_lock(const struct store *store, struct err *err) {
    AUTO_FD int fd = openat(store->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_sys(err, "open %s/lock", store->path);
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_sys(err, "lock the store %s", store->path);
        }
    }
    return fd_take(&fd);
}
