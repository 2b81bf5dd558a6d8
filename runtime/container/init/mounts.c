#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/copy_up.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static int set_option(int fs, const char *option, struct err *err) {
    const char *equals = strchr(option, '=');
    if (!equals) {
        return sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0) < 0 ? err_sys(err, "option %s", option) : 0;
    }
    char key[64];
    size_t length = (size_t)(equals - option);
    if (length >= sizeof(key)) {
        return err_set(err, ERR_INPUT, "option %s: the name is too long", option);
    }
    memcpy(key, option, length);
    key[length] = '\0';
    if (sys_fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0) < 0) {
        bool id = errno == EINVAL && (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0);
        return err_sys(err, "option %s%s", option, id ? " (is it mapped in the user namespace?)" : "");
    }
    return 0;
}

// The kernel lets a user namespace make a procfs or sysfs only of a pid or network namespace of its own, and only where nothing is laid
// over parts of the one that it sees already (Linux 4.2): inside most containers something is. What the caller sees, with all that hides
// parts of it, shows the container nothing new; but a /proc with the processes of another pid namespace would be a lie.
static int bind_instead(const struct plan_mount *mount, struct err *err) {
    if (!mount->instead) {
        return strcmp(mount->fstype, "proc") == 0
                   ? err_set(err, ERR_UNSUPPORTED, "this user namespace may not make a procfs, as parts of the /proc around it are hidden; "
                             "run the container around it with nothing masked (podman: --security-opt unmask=ALL, docker: --security-opt "
                             "systempaths=unconfined), or leave out the new pid namespace")
                   : err_num(err, EPERM, "create file system %s", mount->fstype);
    }
    AUTO_FD int tree = sys_open_tree(AT_FDCWD, mount->instead, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) {
        return err_sys(err, "open %s", mount->instead);
    }
    bool sysfs = strcmp(mount->fstype, "sysfs") == 0;
    struct mount_attr attr = {.attr_set = mount->attr_set | (sysfs ? MOUNT_ATTR_RDONLY : 0), .propagation = MS_PRIVATE};
    return sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ? err_sys(err, "set the attributes of %s", mount->instead)
                                                                               : fd_take(&tree);
}

static int make_new(const struct plan_mount *mount, struct err *err) {
    AUTO_FD int fs = sys_fsopen(mount->fstype, FSOPEN_CLOEXEC);
    if (fs < 0) {
        if (errno == ENODEV) {
            return err_num(err, ENODEV, "file system type %s is unknown to this kernel", mount->fstype);
        }
        return errno == EPERM ? bind_instead(mount, err) : err_sys(err, "open file system %s", mount->fstype);
    }
    if (mount->source && *mount->source && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", mount->source, 0) < 0) {
        return err_sys(err, "source %s", mount->source);
    }
    for (size_t i = 0; i < mount->option_count; i++) {
        if (set_option(fs, mount->options[i], err) < 0) {
            return -1;
        }
    }
    if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return errno == EPERM ? bind_instead(mount, err) : err_sys(err, "create file system %s", mount->fstype);
    }
    int tree = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)mount->attr_set);
    if (tree < 0) {
        return errno == EPERM ? bind_instead(mount, err) : err_sys(err, "mount file system %s", mount->fstype);
    }
    return tree;
}

static bool is_free_of_network(const char *fstype) {
    static const char *const names[] = {"proc", "tmpfs", "devpts", "mqueue"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(fstype, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int make_tree(struct init *init, const struct plan_mount *mount, struct err *err) {
    if (mount->kind == PLAN_MOUNT_NEW) {
        // A sysfs shows the network namespace of who mounts it; of others it is not known.
        if (!is_free_of_network(mount->fstype) && init_take_network(init, err) < 0) {
            return -1;
        }
        return make_new(mount, err);
    }
    if (mount->kind == PLAN_MOUNT_TREE) {
        int given = init_fd(init, mount->tree_fd);
        int copy = given < 0 ? -1 : fcntl(given, F_DUPFD_CLOEXEC, 3);
        return copy < 0 ? err_sys(err, "take over the mount") : copy;
    }
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount->recursive ? AT_RECURSIVE : 0);
    int tree = sys_open_tree(AT_FDCWD, mount->source, flags);
    if (tree < 0 && errno == EINVAL && !mount->recursive) {
        return err_num(err, EINVAL, "open source %s (a user namespace may not leave out what is mounted below it: use rbind)", mount->source);
    }
    return tree < 0 ? err_sys(err, "open source %s", mount->source) : tree;
}

// Attributes first of the whole tree, then of its top: the top may say otherwise. Done before the tree is attached, so that it is
// never seen with weaker ones.
static int set_attributes(const struct plan_mount *mount, int tree, struct err *err) {
    struct mount_attr below = {
        .attr_set = mount->tree_attr_set, .attr_clr = mount->tree_attr_clear, .propagation = mount->tree_propagation};
    if ((below.attr_set || below.attr_clr || below.propagation) &&
        sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &below) < 0) {
        return err_sys(err, "set the attributes of the mounted tree");
    }
    struct mount_attr top = {.attr_set = mount->attr_set, .attr_clr = mount->attr_clear, .propagation = mount->propagation};
    if (mount->kind == PLAN_MOUNT_NEW) {
        top.attr_set = 0; // fsmount(2) has set them
        top.attr_clr = 0;
    }
    if ((top.attr_set || top.attr_clr || top.propagation) && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &top) < 0) {
        return err_sys(err, "set the attributes of the mount");
    }
    return 0;
}

// The kernel's own views of processes and devices are never hidden below or placed outside what they stand for: a mount inside
// /proc other than on the harmless files that container tools provide is refused (CVE-2019-16884, CVE-2019-19921).
static int check_proc_target(const struct plan_mount *mount, int tree, int target, struct err *err) {
    static const char *const allowed[] = {
        "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat",          "/proc/swaps",
        "/proc/uptime",  "/proc/loadavg",   "/proc/slabinfo", "/proc/net/dev",      "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    };
    struct statfs status;
    if (mount->kind != PLAN_MOUNT_NEW && strcmp(mount->target, "/proc") == 0 &&
        (fstatfs(tree, &status) < 0 || status.f_type != PROC_SUPER_MAGIC)) {
        return err_set(err, ERR_INPUT, "only a proc file system can be mounted there");
    }
    if (fstatfs(target, &status) < 0) {
        return err_sys(err, "look at the target");
    }
    if (status.f_type != PROC_SUPER_MAGIC || (mount->kind == PLAN_MOUNT_NEW && strcmp(mount->fstype, "proc") == 0)) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (strcmp(mount->target, allowed[i]) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "the target lies in /proc, where nothing may be mounted but on single files such as /proc/cpuinfo");
}

// procfs and sysfs are found again by their names, to be masked: a link that another container can exchange would lead the masks
// elsewhere (CVE-2019-19921, CVE-2023-27561).
static bool holds_masks(const struct plan_mount *mount) {
    return mount->kind == PLAN_MOUNT_NEW && (strcmp(mount->fstype, "proc") == 0 || strcmp(mount->fstype, "sysfs") == 0);
}

static int open_plain_target(const struct init *init, const struct plan_mount *mount, struct err *err) {
    AUTO_FD int made = root_make_dir(init->root_fd, mount->target, 0755, err);
    if (made < 0) {
        return -1;
    }
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    int target = sys_openat2(init->root_fd, mount->target, &how);
    if (target < 0 && errno == ELOOP) {
        return err_set(err, ERR_INPUT, "%s in the root file system is a symbolic link, or lies behind one; a %s file system is mounted on "
                       "a directory only", mount->target, mount->fstype);
    }
    return target < 0 ? err_sys(err, "open %s in the root file system", mount->target) : target;
}

static int open_target(struct init *init, const struct plan_mount *mount, int tree, struct err *err) {
    if (holds_masks(mount)) {
        return open_plain_target(init, mount, err);
    }
    struct stat status = {.st_mode = S_IFDIR}; // the root of a new file system
    if (mount->kind != PLAN_MOUNT_NEW && fstat(tree, &status) < 0) {
        return err_sys(err, "look at the source");
    }
    if (mount->nofollow) {
        int target = root_try_open(init->root_fd, mount->target, O_PATH | O_NOFOLLOW);
        if (target >= 0) {
            return target;
        }
    }
    return S_ISDIR(status.st_mode) ? root_make_dir(init->root_fd, mount->target, 0755, err)
                                   : root_make_file(init->root_fd, mount->target, err);
}

static int change_mount(struct init *init, const struct plan_mount *mount, struct err *err) {
    AUTO_FD int target = root_open(init->root_fd, mount->target, O_PATH, err);
    return target < 0 ? -1 : set_attributes(mount, target, err);
}

static int make_mount(struct init *init, const struct plan_mount *mount, struct err *err) {
    if (mount->kind == PLAN_MOUNT_CHANGE) {
        return change_mount(init, mount, err);
    }
    AUTO_FD int tree = make_tree(init, mount, err);
    if (tree < 0 || set_attributes(mount, tree, err) < 0) {
        return -1;
    }
    AUTO_FD int target = open_target(init, mount, tree, err);
    if (target < 0 || check_proc_target(mount, tree, target, err) < 0) {
        return -1;
    }
    if (mount->copy_up && copy_up_into(target, tree, err) < 0) {
        return -1;
    }
    if (sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "attach the mount");
    }
    return 0;
}

int init_make_mounts(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *mount = &plan->mounts[i];
        if (make_mount(init, mount, err) < 0) {
            if (mount->may_fail) {
                continue;
            }
            return err_in(err, "mount %s", mount->target);
        }
    }
    return 0;
}
