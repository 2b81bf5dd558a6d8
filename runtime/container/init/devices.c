#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// The links that every container has (runtime-spec, "Dev symbolic links" and devpts).
static const struct {
    const char *name;
    const char *target;
} links[] = {
    {"fd", "/proc/self/fd"},         {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"},   {"ptmx", "pts/ptmx"},         {"core", "/proc/kcore"},
};

// Whether there is something for links into /proc to lead to: a mount of that name, of whatever type.
static bool has_proc(const struct init_plan *plan) {
    for (size_t i = 0; i < plan->mount_count; i++) {
        if (strcmp(plan->mounts[i].target, "/proc") == 0) {
            return true;
        }
    }
    return false;
}

static int make_links(const struct init_plan *plan, int dev_fd, struct err *err) {
    bool proc = has_proc(plan);
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        if (!proc && strncmp(links[i].target, "/proc/", strlen("/proc/")) == 0) {
            continue;
        }
        if (symlinkat(links[i].target, dev_fd, links[i].name) == 0) {
            continue;
        }
        if (errno != EEXIST) {
            return err_sys(err, "make link /dev/%s", links[i].name);
        }
        // The image's own ptmx would be the host's multiplexer: it is replaced. The others are left as the image has them.
        if (strcmp(links[i].name, "ptmx") == 0) {
            char found[16] = "";
            ssize_t length = readlinkat(dev_fd, "ptmx", found, sizeof(found) - 1);
            if (length != 8 || memcmp(found, "pts/ptmx", 8) != 0) {
                unlinkat(dev_fd, "ptmx", 0);
                if (symlinkat(links[i].target, dev_fd, links[i].name) < 0) {
                    return err_sys(err, "make link /dev/ptmx");
                }
            }
        }
    }
    return 0;
}

static int in_device(const struct plan_device *device, struct err *err) {
    return device->number < 0 ? err_in(err, "device %s", device->path) : err_in(err, "linux.devices[%d].path: %s", device->number, device->path);
}

static bool is_device(const struct stat *status, const struct plan_device *device) {
    return (status->st_mode & S_IFMT) == (device->mode & S_IFMT) &&
           (S_ISFIFO(status->st_mode) || status->st_rdev == makedev(device->major, device->minor));
}

// What is already there must be the very device; anything else would be used in its place.
static int check_existing(int parent, const char *name, const struct plan_device *device, struct err *err) {
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at it");
    }
    return is_device(&status, device) ? 0 : err_set(err, ERR_INPUT, "the root file system has another kind of file there");
}

static int make_node(int parent, const char *name, const struct plan_device *device, struct err *err) {
    if (mknodat(parent, name, device->mode, makedev(device->major, device->minor)) < 0) {
        return errno == EEXIST ? check_existing(parent, name, device, err) : err_sys(err, "make the device node");
    }
    if ((device->uid || device->gid) && fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "set its owner");
    }
    return 0;
}

static int open_node(const struct init *init, const struct plan_device *device, struct err *err) {
    int given = init_fd(init, device->tree_fd);
    LEFT_FD int tree = given >= 0 ? fcntl(given, F_DUPFD_CLOEXEC, 3) : sys_open_tree(AT_FDCWD, device->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct stat status;
    if (tree < 0 || fstat(tree, &status) < 0) {
        return err_sys(err, "open the host's device");
    }
    if (!is_device(&status, device)) {
        return err_set(err, ERR_UNSUPPORTED, "the host has no %s device %u:%u there", S_ISBLK(device->mode) ? "block" : "character",
                       device->major, device->minor);
    }
    return fd_take(&tree);
}

// In a user namespace mknod(2) is not allowed: the host's node is bound to an empty file of its name. What is there already is never
// opened but as a place: it could be a device.
static int bind_node(const struct init *init, int parent, const char *name, const struct plan_device *device, struct err *err) {
    LEFT_FD int tree = open_node(init, device, err);
    if (tree < 0) {
        return -1;
    }
    if (mknodat(parent, name, S_IFREG | 0600, 0) < 0 && errno != EEXIST) {
        return err_sys(err, "make a file for it");
    }
    LEFT_FD int target = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (target < 0 || fstat(target, &status) < 0) {
        return err_sys(err, "open the file for it");
    }
    if (!S_ISREG(status.st_mode) && !is_device(&status, device)) {
        return err_set(err, ERR_INPUT, "the root file system has another kind of file there");
    }
    if (sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "bind the host's device");
    }
    return 0;
}

static int make_device(const struct init *init, int dev_fd, const struct plan_device *device, struct err *err) {
    LEFT_FD int opened = -1;
    int parent = dev_fd;
    const char *name = device->path + strlen("/dev/");
    if (strncmp(device->path, "/dev/", 5) != 0 || strchr(name, '/') || *name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        opened = root_open_parent(init->root_fd, device->path, &name, err);
        if (opened < 0) {
            return -1;
        }
        parent = opened;
    }
    return device->bind ? bind_node(init, parent, name, device, err) : make_node(parent, name, device, err);
}

int init_make_devices(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    // /dev is opened safely once; a link in its place is followed inside the root only (CVE-2026-41579, CVE-2026-47766).
    LEFT_FD int dev_fd = root_make_dir(init->root_fd, "/dev", 0755, err);
    if (dev_fd < 0) {
        return -1;
    }
    int result = 0;
    for (size_t i = 0; i < plan->device_count && result == 0; i++) {
        result = make_device(init, dev_fd, &plan->devices[i], err) < 0 ? in_device(&plan->devices[i], err) : 0;
    }
    return result < 0 ? -1 : make_links(plan, dev_fd, err);
}
