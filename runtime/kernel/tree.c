#include "runtime/kernel/tree.h"

#include "runtime/base/dir.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

// RESOLVE_NO_XDEV: a mount in the way is not entered.
static int open_directory(int dir_fd, const char *name) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV};
    int fd = sys_openat2(dir_fd, name, &how);
    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0) {
        fd = sys_openat2(dir_fd, name, &how);
    }
    return fd;
}

static void keep(struct tree_graves *graves, int dir_fd, const char *name) {
    if (graves && graves->count < ARRAY_LEN(graves->fds)) {
        struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV};
        int fd = sys_openat2(dir_fd, name, &how);
        if (fd >= 0) {
            graves->fds[graves->count++] = fd;
        }
    }
}

void tree_graves_finish(struct tree_graves *graves) {
    while (graves->count > 0) {
        fd_close(&graves->fds[--graves->count]);
    }
}

static int remove_directory(int dir_fd, const char *name, struct tree_graves *graves, struct err *err);

static int remove_entry(int dir_fd, const struct dirent *entry, struct tree_graves *graves, struct err *err) {
    if (entry->d_type != DT_DIR) {
        if (unlinkat(dir_fd, entry->d_name, 0) == 0 || errno == ENOENT) {
            return 0;
        }
        if (errno != EISDIR && errno != EPERM && errno != EACCES) {
            return err_sys(err, "remove %s", entry->d_name);
        }
        struct stat status;
        if (fstatat(dir_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) {
            return err_num(err, EPERM, "remove %s", entry->d_name);
        }
    }
    return remove_directory(dir_fd, entry->d_name, graves, err);
}

static int empty_directory(DIR *stream, struct tree_graves *graves, struct err *err) {
    for (;;) {
        const struct dirent *entry = dir_next(stream);
        if (!entry) {
            return errno ? err_sys(err, "read a directory") : 0;
        }
        if (remove_entry(dirfd(stream), entry, graves, err) < 0) {
            return -1;
        }
    }
}

static int remove_full_directory(int dir_fd, const char *name, struct tree_graves *graves, struct err *err) {
    AUTO_FD int fd = open_directory(dir_fd, name);
    if (fd < 0) {
        return errno == ENOENT ? 0 : err_sys(err, "open directory %s", name);
    }
    // Without write permission for its owner nothing in it could be removed by an ordinary user.
    struct stat status;
    if (geteuid() != 0 && fstat(fd, &status) == 0 && (status.st_mode & 0700) != 0700 && fchmod(fd, 0700) < 0) {
        return err_sys(err, "open up directory %s", name);
    }
    AUTO_DIR DIR *stream = fdopendir(fd);
    if (!stream) {
        return err_sys(err, "read directory %s", name);
    }
    fd = -1; // the stream's
    if (empty_directory(stream, graves, err) < 0) {
        return -1;
    }
    // Another process may have been at it, too.
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? err_sys(err, "remove directory %s", name) : 0;
}

static int remove_directory(int dir_fd, const char *name, struct tree_graves *graves, struct err *err) {
    keep(graves, dir_fd, name);
    // Most directories left at the end are empty: one call then.
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES) {
        return err_sys(err, "remove directory %s", name);
    }
    return remove_full_directory(dir_fd, name, graves, err);
}

int tree_remove(int dir_fd, const char *name, struct err *err) {
    return tree_remove_later(dir_fd, name, NULL, err);
}

int tree_remove_later(int dir_fd, const char *name, struct tree_graves *graves, struct err *err) {
    struct stat status;
    keep(graves, dir_fd, name);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno == ENOTEMPTY || errno == EEXIST) {
        return remove_full_directory(dir_fd, name, graves, err);
    }
    if (errno == ENOTDIR) {
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? err_sys(err, "remove %s", name) : 0;
    }
    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : err_sys(err, "remove %s", name);
    }
    return remove_directory(dir_fd, name, NULL, err);
}

static uint64_t measure_directory(int dir_fd, const char *name, dev_t device);

static uint64_t measure_entry(int dir_fd, const char *name, dev_t device) {
    struct stat status;
    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_dev != device) {
        return 0;
    }
    uint64_t bytes = (uint64_t)status.st_blocks * 512;
    if (S_ISDIR(status.st_mode)) {
        return bytes + measure_directory(dir_fd, name, device);
    }
    return bytes / (status.st_nlink > 0 ? status.st_nlink : 1);
}

static uint64_t measure_directory(int dir_fd, const char *name, dev_t device) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV};
    AUTO_FD int fd = sys_openat2(dir_fd, name, &how);
    AUTO_DIR DIR *stream = fd < 0 ? NULL : dir_stream(fd);
    uint64_t bytes = 0;
    for (const struct dirent *entry; stream && (entry = dir_next(stream));) {
        bytes += measure_entry(fd, entry->d_name, device);
    }
    return bytes;
}

uint64_t tree_measure(int dir_fd, const char *name) {
    struct stat status;
    return fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : measure_entry(dir_fd, name, status.st_dev);
}

bool tree_is_of_kernel(int fd) {
    // Those without a name in linux/magic.h: configfs, mqueue.
    static const uint32_t types[] = {
        PROC_SUPER_MAGIC,   SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,        TRACEFS_MAGIC,
        SECURITYFS_MAGIC,   SELINUX_MAGIC, BPF_FS_MAGIC,       PSTOREFS_MAGIC,      EFIVARFS_MAGIC,       BINFMTFS_MAGIC,
        DEVPTS_SUPER_MAGIC, NSFS_MAGIC,    RDTGROUP_SUPER_MAGIC, SMACK_MAGIC,       0x62656570 /* configfs */, 0x19800202 /* mqueue */,
    };
    struct statfs status;
    if (fstatfs(fd, &status) < 0) {
        return true;
    }
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        found = found || types[i] == (uint32_t)status.f_type;
    }
    return found;
}
