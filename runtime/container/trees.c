// What the parent opens for init, with its own rights: trees of the host to bind, device nodes, the root file system.
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <fcntl.h>

static int map_ids(const struct plan_tree *tree, int fd, int userns_fd, struct err *err) {
    AUTO_FD int own = -1;
    if (tree->uids.count > 0) {
        own = userns_create(&tree->uids, &tree->gids, err);
        if (own < 0) {
            return -1;
        }
    }
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)(own >= 0 ? own : userns_fd)};
    if (sys_mount_setattr(fd, "", AT_EMPTY_PATH | (tree->idmap_tree ? AT_RECURSIVE : 0), &attr) == 0) {
        return 0;
    }
    int reason = errno;
    err_num(err, reason, "map the ids of %s", tree->source);
    if (reason == EPERM) {
        return err_in(err, "%s is mapped to other user ids already, or its file system is another user namespace's; use another place",
                      tree->source);
    }
    if (reason == EINVAL || reason == ENOSYS || reason == EOPNOTSUPP) {
        err->kind = ERR_UNSUPPORTED;
        // It goes nowhere any more: which of them it was may be tried out on it.
        bool below = tree->idmap_tree && sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr) == 0;
        const char *which = below ? "a file system mounted below" : "the file system of";
        if (tree->uids.count > 0) {
            return err_in(err, "%s %s cannot show its files to other user ids; leave the map out (option U or idmap), or use another place",
                          which, tree->source);
        }
        err_in(err, "%s %s cannot show its files to another range of user ids; use --userns host, or another place", which,
               tree->source);
    }
    return -1;
}

static int open_source(const struct plan_tree *tree) {
    if (tree->is_given) {
        return fcntl(tree->given_fd, F_DUPFD_CLOEXEC, 0);
    }
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (tree->recursive ? AT_RECURSIVE : 0) |
                     (tree->nofollow ? AT_SYMLINK_NOFOLLOW : 0);
    AUTO_FD int root = tree->below ? open(tree->source, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    AUTO_FD int below = root < 0 ? -1 : root_try_open(root, tree->below, O_PATH);
    return !tree->below ? sys_open_tree(AT_FDCWD, tree->source, flags)
           : below < 0  ? -1
                        : sys_open_tree(below, "", flags | AT_EMPTY_PATH);
}

static int open_tree(const struct plan_tree *tree, int userns_fd, struct err *err) {
    AUTO_FD int opened = open_source(tree);
    if (opened < 0) {
        return err_sys(err, "open %s%s%s", tree->source, tree->below ? "/" : "", tree->below ? tree->below : "");
    }
    if (tree->idmap && map_ids(tree, opened, userns_fd, err) < 0) {
        return -1;
    }
    // The clone is in the host's peer group: what the container mounts below it would appear on the host. Only an explicit
    // "shared" leaves that. One that was given is cut off already: it may be of a namespace that we may change nothing in.
    if (!(tree->propagation & MS_SHARED) && !tree->is_given) {
        struct mount_attr attr = {.propagation = (tree->propagation & MS_SLAVE) ? MS_SLAVE : MS_PRIVATE};
        if (sys_mount_setattr(opened, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0) {
            return err_sys(err, "cut %s off from the host's mounts", tree->source);
        }
    }
    return fd_take(&opened);
}

static int open_layers(const struct container_layers *layers, int userns_fd, struct err *err) {
    AUTO_FD int base = -1;
    if (userns_fd >= 0) {
        base = idmapped_tree(AT_FDCWD, layers->base, userns_fd, false, err);
        if (base < 0 && err->kind == ERR_UNSUPPORTED) {
            return err_in(err, "the store's file system cannot show an image to another range of user ids; keep the store on ext4, xfs "
                          "or btrfs, or use --userns host");
        }
    } else {
        base = open(layers->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (base < 0) {
            err_sys(err, "open %s", layers->base);
        }
    }
    if (base < 0) {
        return -1;
    }
    const struct overlay overlay = {
        .base_fd = base,
        .lower = layers->lower,
        .lower_count = layers->lower_count,
        .upper = layers->upper,
        .work = layers->work,
        .directory = layers->directory,
        .is_volatile = layers->is_volatile,
    };
    return overlay_mount(&overlay, err);
}

static int open_root(const struct container_options *options, struct container_plan *plan, int userns_fd, struct err *err) {
    if (plan->init.root_kind != PLAN_ROOT_TREE) {
        return 0;
    }
    const struct plan_tree tree = {
        .source = plan->init.root_path,
        .recursive = true,
        .nofollow = true, // no link that somebody could exchange
        .propagation = plan->init.root_propagation,
    };
    int fd = options->layers ? open_layers(options->layers, plan->needs_userns ? userns_fd : -1, err) : open_tree(&tree, -1, err);
    if (fd < 0 && err->errnum == EPERM && !options->layers && !plan->joins_mounts) {
        plan->init.root_kind = PLAN_ROOT_PATH; // init opens it itself: see leave_to_init()
        return 0;
    }
    return fd < 0 ? -1 : container_plan_add_fd(plan, fd, &plan->init.root_fd, err);
}

// What a namespace of mounts that is not the caller's own does not let him clone, init opens itself. Never so what was given: its path
// leads to something else.
static bool leave_to_init(const struct plan_tree *tree, struct container_plan *plan, const struct err *err) {
    if (err->errnum != EPERM || tree->idmap || tree->is_given || plan->joins_mounts) {
        return false;
    }
    if (!tree->is_device) {
        plan->init.mounts[tree->index].kind = PLAN_MOUNT_BIND;
    }
    return true;
}

int container_plan_open_trees(const struct container_options *options, struct container_plan *plan, int userns_fd, struct err *err) {
    if (open_root(options, plan, userns_fd, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < plan->tree_count; i++) {
        const struct plan_tree *tree = &plan->trees[i];
        const struct plan_device *device = tree->is_device ? &plan->init.devices[tree->index] : NULL;
        int32_t *place = device ? &plan->init.devices[tree->index].tree_fd : &plan->init.mounts[tree->index].tree_fd;
        int fd = open_tree(tree, userns_fd, err);
        if (fd < 0 && leave_to_init(tree, plan, err)) {
            continue;
        }
        if (fd >= 0 && container_plan_add_fd(plan, fd, place, err) == 0) {
            continue;
        }
        if (device) {
            return device->number < 0 ? err_in(err, "device %s", device->path) : err_in(err, "linux.devices[%d].path", device->number);
        }
        const struct plan_mount *mount = &plan->init.mounts[tree->index];
        return err_in(err, "mount %s: mounts[%u].source", mount->target, mount->number);
    }
    return 0;
}
