#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <sys/stat.h>

int init_leave_host(const struct init_plan *plan, struct err *err) {
    struct mount_attr attr = {.propagation = plan->root_propagation};
    if (sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr) < 0) {
        return err_sys(err, "cut the mounts off from the host's");
    }
    return 0;
}

// Rootless: the overlay is mounted from inside the user namespace (Linux 5.11), its marks live in user.overlay.*.
static int mount_own_overlay(const struct init_plan *plan, struct err *err) {
    AUTO_FD int base = open(plan->overlay_base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) {
        return err_sys(err, "open %s", plan->overlay_base);
    }
    const struct overlay overlay = {
        .base_fd = base,
        .lower = plan->overlay_lower,
        .lower_count = plan->overlay_lower_count,
        .upper = plan->overlay_upper,
        .work = plan->overlay_work,
        .directory = plan->overlay_directory,
        .user_xattr = true,
        .own_namespace = true,
        .is_volatile = plan->overlay_volatile,
    };
    return overlay_mount(&overlay, err);
}

static int open_root(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    if (plan->root_kind == PLAN_ROOT_TREE) {
        int given = init_fd(init, plan->root_fd);
        int copy = given < 0 ? -1 : fcntl(given, F_DUPFD_CLOEXEC, 3);
        return copy < 0 ? err_sys(err, "open the root file system") : copy;
    }
    if (plan->root_kind == PLAN_ROOT_OVERLAY) {
        return mount_own_overlay(plan, err);
    }
    int tree = sys_open_tree(AT_FDCWD, plan->root_path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    return tree < 0 ? err_sys(err, "open root file system %s", plan->root_path) : tree;
}

int init_make_root(struct init *init, struct err *err) {
    if (init_leave_host(init->plan, err) < 0) {
        return -1;
    }
    LEFT_FD int tree = open_root(init, err);
    if (tree < 0) {
        return -1;
    }
    // On top of "/": no directory of the host has to be a mount point, and the old root is found below by pivot_root.
    if (sys_move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        struct stat status;
        if (init->plan->root_path && fstat(tree, &status) == 0 && !S_ISDIR(status.st_mode)) {
            return err_set(err, ERR_INPUT, "config.json: root.path: %s is not a directory", init->plan->root_path);
        }
        return err_sys(err, "attach the root file system");
    }
    if (fchdir(tree) < 0) {
        const char *why = errno == ENOTDIR ? " (root.path must be a directory, and no symbolic link)" : "";
        return err_sys(err, "enter the root file system%s", why);
    }
    init->root_fd = fd_take(&tree);
    return 0;
}

// With the same directory for both, the old root ends up on top of the new one and is detached at once (pivot_root(2), NOTES).
static int pivot(struct err *err) {
    if (sys_pivot_root(".", ".") < 0) {
        return err_sys(err, "make the root file system the root");
    }
    if (sys_umount2(".", MNT_DETACH) < 0) {
        return err_sys(err, "detach the host's file systems");
    }
    return 0;
}

// Where the root is a ramfs, pivot_root cannot work (runc's --no-pivot). The new root lies on top of "/" already, where others move it to: so
// ".." never leads below it.
static int step_into_root(struct err *err) {
    return chroot(".") < 0 ? err_sys(err, "make the root file system the root") : 0;
}

int init_enter_root(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    struct mount_attr attr = {.propagation = plan->final_propagation & ~(uint64_t)MS_REC,
                              .attr_set = plan->root_readonly ? MOUNT_ATTR_RDONLY : 0};
    if ((plan->no_pivot ? step_into_root(err) : pivot(err)) < 0) {
        return -1;
    }
    if (chdir("/") < 0) {
        return err_sys(err, "change to /");
    }
    struct mount_attr below = {.propagation = attr.propagation};
    if (((plan->final_propagation & MS_REC) && sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &below) < 0) ||
        ((attr.propagation || attr.attr_set) && sys_mount_setattr(AT_FDCWD, "/", 0, &attr) < 0)) {
        return err_sys(err, "set the attributes of the root file system");
    }
    return 0;
}
