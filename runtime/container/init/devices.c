#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
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

static int make_links(int dev_fd, struct err *err) {
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
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

// What is already there must be the very device; anything else would be used in its place.
static int check_existing(int parent, const char *name, const struct plan_device *device, struct err *err) {
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "look at device %s", device->path);
    }
    if ((status.st_mode & S_IFMT) != (device->mode & S_IFMT) ||
        (!S_ISFIFO(status.st_mode) && status.st_rdev != makedev(device->major, device->minor))) {
        return err_set(err, ERR_INPUT, "device %s: the root file system has another kind of file there", device->path);
    }
    return 0;
}

static int make_node(int parent, const char *name, const struct plan_device *device, struct err *err) {
    if (mknodat(parent, name, device->mode, makedev(device->major, device->minor)) < 0) {
        if (errno == EEXIST) {
            return check_existing(parent, name, device, err);
        }
        return err_sys(err, "make device %s", device->path);
    }
    if ((device->uid || device->gid) && fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return err_sys(err, "set the owner of device %s", device->path);
    }
    return 0;
}

// In a user namespace mknod(2) is not allowed: the host's node is bound to an empty file of its name.
static int bind_node(struct init *init, int parent, const char *name, const struct plan_device *device, struct err *err) {
    AUTO_FD int cloned = -1;
    int tree = init_fd(init, device->tree_fd);
    if (tree < 0) {
        cloned = sys_open_tree(AT_FDCWD, device->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (cloned < 0) {
            return err_sys(err, "open the host's device %s", device->path);
        }
        tree = cloned;
    }
    struct stat status;
    if (fstat(tree, &status) < 0 || (status.st_mode & S_IFMT) != (device->mode & S_IFMT) ||
        status.st_rdev != makedev(device->major, device->minor)) {
        return err_set(err, ERR_UNSUPPORTED, "the host's %s is not device %u:%u", device->path, device->major, device->minor);
    }
    AUTO_FD int made = openat(parent, name, O_CREAT | O_NOFOLLOW | O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0666);
    AUTO_FD int target = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0) {
        return err_sys(err, "make device %s", device->path);
    }
    if (sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "bind device %s", device->path);
    }
    return 0;
}

static int make_device(struct init *init, int dev_fd, const struct plan_device *device, struct err *err) {
    AUTO_FD int opened = -1;
    int parent = dev_fd;
    const char *name = device->path + strlen("/dev/");
    if (strncmp(device->path, "/dev/", 5) != 0 || strchr(name, '/')) {
        opened = root_open_parent(init->root_fd, device->path, &name, err);
        if (opened < 0) {
            return err_in(err, "device %s", device->path);
        }
        parent = opened;
    }
    return device->bind ? bind_node(init, parent, name, device, err) : make_node(parent, name, device, err);
}

int init_make_devices(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    // /dev is opened safely once; a link in its place is followed inside the root only (CVE-2026-41579, CVE-2026-47766).
    AUTO_FD int dev_fd = root_make_dir(init->root_fd, "/dev", 0755, err);
    if (dev_fd < 0) {
        return -1;
    }
    mode_t umask_before = umask(0);
    int result = 0;
    for (size_t i = 0; i < plan->device_count && result == 0; i++) {
        result = make_device(init, dev_fd, &plan->devices[i], err);
    }
    umask(umask_before);
    return result < 0 ? -1 : make_links(dev_fd, err);
}
