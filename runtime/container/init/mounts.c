#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/cgroups.h"
#include "runtime/container/init/copy_up.h"
#include "runtime/container/init/filesystem.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/mounts.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PROC_ROOT_INODE = 1 }; // proc_root of the kernel, the same since procfs is there

// --- what is mounted ---

static int wrong_source(const struct plan_mount *mount, int errnum, struct err *err) {
    const char *why = errnum == EINVAL && !mount->recursive ? " (a user namespace may not leave out what is mounted below it: use rbind)" : "";
    return err_num(err, errnum, "mounts[%u].source: open %s%s%s%s", mount->number, mount->source, mount->below ? "/" : "",
                   mount->below ? mount->below : "", why);
}

static int make_bind(const struct plan_mount *mount, struct err *err) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount->recursive ? AT_RECURSIVE : 0) |
                     (mount->nofollow_source || mount->copy_symlink ? AT_SYMLINK_NOFOLLOW : 0);
    AUTO_FD int root = mount->below ? sys_open_tree(AT_FDCWD, mount->source, OPEN_TREE_CLOEXEC) : -1;
    AUTO_FD int below = root < 0 ? -1 : root_try_open(root, mount->below, O_PATH);
    int tree = !mount->below ? sys_open_tree(AT_FDCWD, mount->source, flags)
               : below < 0   ? -1
                             : sys_open_tree(below, "", flags | AT_EMPTY_PATH);
    return tree < 0 ? wrong_source(mount, errno, err) : tree;
}

int mount_make(const struct init *init, const struct plan_mount *mount, struct err *err) {
    if (mount->kind == PLAN_MOUNT_NEW) {
        return filesystem_make(mount, err);
    }
    if (mount->kind == PLAN_MOUNT_TREE) {
        int given = init_fd(init, mount->tree_fd);
        int copy = given < 0 ? -1 : fcntl(given, F_DUPFD_CLOEXEC, 3);
        return copy < 0 ? err_sys(err, "take over the mount") : copy;
    }
    return make_bind(mount, err);
}

// The kernel does not say which of the attributes it was. In a user namespace those that the host's mount has are locked: they can be
// added to, never taken away (mount_namespaces(7)).
static int refused_attributes(const struct plan_mount *mount, const char *what, struct err *err) {
    if (errno == EPERM && (mount->kind == PLAN_MOUNT_BIND || mount->kind == PLAN_MOUNT_CHANGE)) {
        return err_sys(err, "set the attributes of %s (a user namespace may not undo nosuid, nodev, noexec or ro of the host's mount, nor "
                       "change how it counts access times: leave such options out)", what);
    }
    return err_sys(err, "set the attributes of %s", what);
}

// Attributes first of the whole tree, then of its top: the top may say otherwise. Done before the tree is attached, so that it is
// never seen with weaker ones.
int mount_set_attributes(const struct plan_mount *mount, int tree, struct err *err) {
    struct mount_attr below = {
        .attr_set = mount->tree_attr_set, .attr_clr = mount->tree_attr_clear, .propagation = mount->tree_propagation};
    if ((below.attr_set || below.attr_clr || below.propagation) &&
        sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &below) < 0) {
        return refused_attributes(mount, "the mounted tree", err);
    }
    struct mount_attr top = {.attr_set = mount->attr_set, .attr_clr = mount->attr_clear, .propagation = mount->propagation};
    if (mount->kind == PLAN_MOUNT_NEW) {
        top.attr_set = 0; // fsmount(2) has set them
        top.attr_clr = 0;
    }
    if ((top.attr_set || top.attr_clr || top.propagation) && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &top) < 0) {
        return refused_attributes(mount, "the mount", err);
    }
    return 0;
}

// --- where it is mounted ---

// The kernel's own views of processes and devices are never hidden below or placed outside what they stand for: a mount inside
// /proc other than on the harmless files that container tools provide is refused (CVE-2019-16884, CVE-2019-19921).
static int check_inside_proc(const struct plan_mount *mount, int target, struct err *err) {
    static const char *const allowed[] = {
        "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat",          "/proc/swaps",
        "/proc/uptime",  "/proc/loadavg",   "/proc/slabinfo", "/proc/net/dev",      "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    };
    struct statfs status;
    struct stat inode;
    if (fstatfs(target, &status) < 0) {
        return err_sys(err, "look at the target");
    }
    if (status.f_type != PROC_SUPER_MAGIC) {
        return 0;
    }
    if (mount->kind == PLAN_MOUNT_NEW && strcmp(mount->fstype, "proc") == 0 && fstat(target, &inode) == 0 &&
        inode.st_ino == PROC_ROOT_INODE) {
        return 0; // one procfs over the other
    }
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (strcmp(mount->target, allowed[i]) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_INPUT, "the target lies in /proc, where nothing may be mounted but on single files such as /proc/cpuinfo");
}

static int check_over_proc(const struct plan_mount *mount, int tree, struct err *err) {
    struct statfs status;
    if (strcmp(mount->target, "/proc") == 0 && (fstatfs(tree, &status) < 0 || status.f_type != PROC_SUPER_MAGIC)) {
        return err_set(err, ERR_INPUT, "only a proc file system can be mounted there");
    }
    return 0;
}

// procfs and sysfs are found again by their names, to be masked: a link that another container can exchange would lead the masks
// elsewhere (CVE-2019-19921, CVE-2023-27561).
static bool holds_masks(const struct plan_mount *mount) {
    return mount->kind == PLAN_MOUNT_NEW && (strcmp(mount->fstype, "proc") == 0 || strcmp(mount->fstype, "sysfs") == 0);
}

static int open_plain(const struct init *init, const struct plan_mount *mount) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    return sys_openat2(init->root_fd, mount->target, &how);
}

static int open_plain_directory(const struct init *init, const struct plan_mount *mount, struct mount_target *ret, struct err *err) {
    ret->fd = open_plain(init, mount);
    if (ret->fd < 0 && errno == ENOENT) {
        LEFT_FD int made = root_make_missing_dir(init->root_fd, mount->target, 0755, &ret->made, err);
        if (made < 0) {
            return -1;
        }
        ret->fd = open_plain(init, mount);
    }
    if (ret->fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        return err_set(err, ERR_INPUT, "%s in the root file system is a symbolic link, or lies behind one; a %s file system is mounted on "
                       "a directory only", mount->target, mount->fstype);
    }
    return ret->fd < 0 ? err_sys(err, "open %s in the root file system", mount->target) : 0;
}

// The name of a path directly below the fresh tmpfs, NULL for others.
static const char *name_in_fresh(const struct init *init, const char *path) {
    size_t length = init->fresh_path ? strlen(init->fresh_path) : 0;
    bool below = length > 0 && strncmp(path, init->fresh_path, length) == 0 && path[length] == '/';
    return below && !strchr(path + length + 1, '/') ? path + length + 1 : NULL;
}

// Nobody but us can have put anything there, nor anything over it: what is not there is made without looking for it first.
static int make_in_fresh(struct init *init, const char *path) {
    const char *name = name_in_fresh(init, path);
    if (name && init->fresh_fd < 0) {
        init->fresh_fd = root_try_open(init->root_fd, init->fresh_path, O_PATH | O_DIRECTORY);
    }
    if (!name || init->fresh_fd < 0 || mkdirat(init->fresh_fd, name, 0755) < 0) {
        return -1;
    }
    return openat(init->fresh_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// A mount elsewhere may hide it, by whatever links lead there.
static void note_fresh(struct init *init, const struct plan_mount *mount) {
    if (name_in_fresh(init, mount->target)) {
        return;
    }
    init_leave_fd(&init->fresh_fd);
    init->fresh_fd = -1;
    bool fresh = mount->kind == PLAN_MOUNT_NEW && strcmp(mount->fstype, "tmpfs") == 0 && !mount->copy_up;
    init->fresh_path = fresh ? mount->target : NULL;
}

static int open_directory(struct init *init, const struct plan_mount *mount, struct mount_target *ret, struct err *err) {
    ret->fd = make_in_fresh(init, mount->target);
    if (ret->fd >= 0) {
        ret->made = true;
        return 0;
    }
    ret->fd = root_try_open(init->root_fd, mount->target, O_PATH | (mount->nofollow ? O_NOFOLLOW : O_DIRECTORY));
    if (ret->fd >= 0) {
        ret->found = true;
        return 0;
    }
    if (errno != ENOENT) {
        return err_sys(err, "make directory %s in the root file system", mount->target);
    }
    ret->fd = root_make_missing_dir(init->root_fd, mount->target, 0755, &ret->made, err);
    return ret->fd < 0 ? -1 : 0;
}

// For a tree that is there: a directory for a directory, a file for all else.
static int open_target_of(struct init *init, const struct plan_mount *mount, int tree, struct mount_target *ret, struct err *err) {
    struct stat status;
    if (fstat(tree, &status) < 0) {
        return err_sys(err, "look at the source");
    }
    if (mount->nofollow) {
        ret->fd = root_try_open(init->root_fd, mount->target, O_PATH | O_NOFOLLOW);
        if (ret->fd >= 0) {
            return 0;
        }
    }
    if (S_ISDIR(status.st_mode)) {
        return open_directory(init, mount, ret, err);
    }
    ret->fd = root_make_file(init->root_fd, mount->target, err);
    return ret->fd < 0 ? -1 : 0;
}

int mount_open_target(struct init *init, const struct plan_mount *mount, int tree, struct mount_target *ret, struct err *err) {
    struct mount_target target = {.fd = -1};
    int opened = tree >= 0 && mount->kind != PLAN_MOUNT_NEW ? open_target_of(init, mount, tree, &target, err)
                 : holds_masks(mount)                       ? open_plain_directory(init, mount, &target, err)
                                                            : open_directory(init, mount, &target, err);
    AUTO_FD int fd = target.fd;
    // Where a container runs, what was just made may have been exchanged already.
    bool is_ours = target.made && init->plan->change == PLAN_CHANGE_NONE;
    if (opened < 0 || (tree >= 0 && check_over_proc(mount, tree, err) < 0) || (!is_ours && check_inside_proc(mount, fd, err) < 0)) {
        return -1;
    }
    target.fd = fd_take(&fd);
    *ret = target;
    return 0;
}

// --- both together ---

static int attach(const struct plan_mount *mount, int tree, int target, struct err *err) {
    if (mount->copy_up && copy_up_into(target, tree, err) < 0) {
        return -1;
    }
    if (sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "attach the mount");
    }
    return 0;
}

bool mount_keeps_mode(const struct plan_mount *mount, const struct mount_target *target) {
    if (mount->kind != PLAN_MOUNT_NEW || strcmp(mount->fstype, "tmpfs") != 0 || !target->found || mount->copy_up) {
        return false;
    }
    for (size_t i = 0; i < mount->option_count; i++) {
        if (strstr(mount->options[i], "mode=")) {
            return false;
        }
    }
    return true;
}

static int keep_mode(struct init *init, struct plan_mount *mount, const struct mount_target *target, struct err *err) {
    struct stat status;
    if (!mount_keeps_mode(mount, target)) {
        return 0;
    }
    if (fstat(target->fd, &status) < 0) {
        return err_sys(err, "look at the target");
    }
    const char **options = arena_array(init->arena, mount->option_count + 1, sizeof(*options));
    options[0] = arena_format(init->arena, "mode=%04o", status.st_mode & 07777);
    memcpy(options + 1, mount->options, mount->option_count * sizeof(*options));
    mount->options = options;
    mount->option_count++;
    return 0;
}

// What shall be read-only in the end stays open until the devices and later mounts are on it.
static int remember_seal(struct init *init, int tree, struct err *err) {
    int copy = fcntl(tree, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        return err_sys(err, "keep the mount open");
    }
    if (!init->seals) {
        init->seals = arena_array(init->arena, init->plan->mount_count, sizeof(*init->seals));
    }
    init->seals[init->seal_count++] = copy;
    return 0;
}

// A sysfs shows the network namespace of who mounts it; of others it is not known.
static bool is_free_of_network(const struct plan_mount *mount) {
    static const char *const names[] = {"proc", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (mount->kind != PLAN_MOUNT_NEW || strcmp(mount->fstype, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int make_filesystem(struct init *init, const struct plan_mount *wanted, struct err *err) {
    struct plan_mount mount = *wanted;
    if (!is_free_of_network(&mount) && init_take_network(init, err) < 0) {
        return -1;
    }
    struct mount_target target;
    if (mount_open_target(init, &mount, -1, &target, err) < 0) {
        return -1;
    }
    LEFT_FD int target_fd = target.fd;
    if (keep_mode(init, &mount, &target, err) < 0) {
        return -1;
    }
    if (mount.kind == PLAN_MOUNT_CGROUPS) {
        return cgroups_mount_on(init, &mount, target_fd, err);
    }
    if (!mount.seal && filesystem_mount_on(&mount, target_fd) == 0) {
        return 0;
    }
    LEFT_FD int tree = mount_make(init, &mount, err);
    if (tree < 0 || mount_set_attributes(&mount, tree, err) < 0 || attach(&mount, tree, target_fd, err) < 0) {
        return -1;
    }
    return mount.seal ? remember_seal(init, tree, err) : 0;
}

// copy-symlink: 1 when the source was a link and has been made again.
static int copy_symlink(const struct init *init, const struct plan_mount *mount, int tree, struct err *err) {
    char leads_to[PATH_MAX];
    ssize_t length = mount->copy_symlink ? readlinkat(tree, "", leads_to, sizeof(leads_to) - 1) : 0;
    if (length <= 0) {
        return 0;
    }
    leads_to[length] = '\0';
    const char *name;
    LEFT_FD int parent = root_open_parent(init->root_fd, mount->target, &name, err);
    if (parent < 0) {
        return -1;
    }
    char found[PATH_MAX];
    if (symlinkat(leads_to, parent, name) < 0 &&
        (errno != EEXIST || readlinkat(parent, name, found, sizeof(found)) != length || memcmp(found, leads_to, (size_t)length) != 0)) {
        return err_sys(err, "make the symbolic link");
    }
    return 1;
}

static int attach_tree(struct init *init, const struct plan_mount *mount, struct err *err) {
    LEFT_FD int tree = mount_make(init, mount, err);
    if (tree < 0) {
        return -1;
    }
    int copied = copy_symlink(init, mount, tree, err);
    if (copied != 0) {
        return copied < 0 ? -1 : 0;
    }
    struct mount_target target;
    if (mount_set_attributes(mount, tree, err) < 0 || mount_open_target(init, mount, tree, &target, err) < 0) {
        return -1;
    }
    LEFT_FD int target_fd = target.fd;
    return attach(mount, tree, target_fd, err);
}

static int change_mount(const struct init *init, const struct plan_mount *mount, struct err *err) {
    LEFT_FD int target = root_open(init->root_fd, mount->target, O_PATH, err);
    if (target < 0 || mount_set_attributes(mount, target, err) < 0) {
        return -1;
    }
    return mount->option_count > 0 ? filesystem_reconfigure(mount, target, err) : 0;
}

static int make_mount(struct init *init, const struct plan_mount *mount, struct err *err) {
    switch (mount->kind) {
    case PLAN_MOUNT_CHANGE:
        return change_mount(init, mount, err);
    case PLAN_MOUNT_NEW:
    case PLAN_MOUNT_CGROUPS:
        return make_filesystem(init, mount, err);
    default:
        return attach_tree(init, mount, err);
    }
}

// Only what lies in /sys may wait: sysfs is never mounted through a link, and no link of its own leads out of it.
size_t init_early_mounts(const struct init *init) {
    const struct init_plan *plan = init->plan;
    size_t first = 0;
    while (first < plan->mount_count && is_free_of_network(&plan->mounts[first])) {
        first++;
    }
    for (size_t i = first; i < plan->mount_count; i++) {
        const char *target = plan->mounts[i].target;
        if (!plan->late_network || (strcmp(target, "/sys") != 0 && strncmp(target, "/sys/", 5) != 0) || !holds_masks(&plan->mounts[first])) {
            return plan->mount_count;
        }
    }
    return first;
}

int init_make_mounts(struct init *init, size_t end, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = init->mounts_made; i < end; i++) {
        if (make_mount(init, &plan->mounts[i], err) < 0) {
            return err_in(err, "mount %s", plan->mounts[i].target);
        }
        note_fresh(init, &plan->mounts[i]);
    }
    init->mounts_made = end;
    // Hooks begin in the container's root.
    return plan->mount_count > 0 && fchdir(init->root_fd) < 0 ? err_sys(err, "enter the root file system") : 0;
}

int init_seal_mounts(struct init *init, struct err *err) {
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    for (size_t i = 0; i < init->seal_count; i++) {
        if (sys_mount_setattr(init->seals[i], "", AT_EMPTY_PATH, &readonly) < 0) {
            return err_sys(err, "make a mount read-only");
        }
        fd_close(&init->seals[i]);
    }
    return 0;
}
