// Mounts of a container that is there already are added and taken away by a process of ours that joins its namespaces.
//
// Theory of operation. All in the container may be hostile and at work meanwhile. The process is in neither its pid namespace nor its
// cgroup, so that nobody in it sees, signals or freezes it. While it still sees the host's mounts, by a copy of them that belongs to the
// container's user namespace where there is one, it opens all that is to be mounted, detached, with all attributes set; only then it
// joins the container's mount namespace. A target is opened once, below the container's root, and checked and mounted on by its
// descriptor. What fails takes the mounts before it away again, by their descriptors. What the configuration masks or makes read-only
// stays so: the mount that lies there must be the same afterwards.
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/init/channel.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/mounts.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/mount_point.h"
#include "runtime/kernel/mountinfo.h"
#include "runtime/kernel/procfs.h"
#include "runtime/kernel/root.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { MOUNTINFO_MAX_BYTES = 64 << 20, MAX_ANCESTORS = 4096 };

struct change {
    struct init *init;
    int *fds;        // of the plan's mounts: what is to be attached, or the target that is to be detached
    uint64_t *ids;   // REMOVE: of the mounts
    size_t attached; // so many of them are
    uint64_t *hidden; // which mount lies at the plan's masked paths, and then at its read-only ones; 0 for a path that is not there
};

static int join(struct init *init, bool mounts, struct err *err) {
    const struct init_plan *plan = init->plan;
    for (size_t i = 0; i < plan->join_count; i++) {
        if ((plan->joins[i].type == CLONE_NEWNS) == mounts && setns(init_fd(init, plan->joins[i].fd), (int)plan->joins[i].type) < 0) {
            return err_sys(err, "join the container's namespaces");
        }
    }
    return 0;
}

static int enter(struct change *change, struct err *err) {
    struct init *init = change->init;
    if (join(init, true, err) < 0) {
        return -1;
    }
    init->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return init->root_fd < 0 ? err_sys(err, "open the container's root directory") : 0;
}

// --- what is hidden ---

static size_t hidden_count(const struct init_plan *plan) {
    return plan->masked_count + plan->readonly_count;
}

static const char *hidden_path(const struct init_plan *plan, size_t i) {
    return i < plan->masked_count ? plan->masked_paths[i] : plan->readonly_paths[i - plan->masked_count];
}

static const char *hidden_by(const struct init_plan *plan, size_t i) {
    return i < plan->masked_count ? "linux.maskedPaths" : "linux.readonlyPaths";
}

static int look_at_hidden(struct init *init, size_t i, uint64_t *ret_id, struct err *err) {
    const char *path = hidden_path(init->plan, i);
    struct mount_point point;
    AUTO_FD int fd = root_try_open(init->root_fd, path, O_PATH);
    *ret_id = 0;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0 || mount_point_look(fd, &point) < 0) {
        return err_sys(err, "look at %s, which is one of %s", path, hidden_by(init->plan, i));
    }
    *ret_id = point.id;
    return 0;
}

static int look_at_all_hidden(struct change *change, struct err *err) {
    size_t count = hidden_count(change->init->plan);
    change->hidden = arena_array(change->init->arena, count, sizeof(*change->hidden));
    for (size_t i = 0; i < count; i++) {
        if (look_at_hidden(change->init, i, &change->hidden[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_still_hidden(const struct change *change, struct err *err) {
    const struct init_plan *plan = change->init->plan;
    for (size_t i = 0; i < hidden_count(plan); i++) {
        uint64_t id;
        if (look_at_hidden(change->init, i, &id, err) < 0) {
            return -1;
        }
        if (id != change->hidden[i]) {
            return err_set(err, ERR_INPUT, "%s of %s would be another file then, and not hidden; mount elsewhere, or when the container is "
                           "created", hidden_path(plan, i), hidden_by(plan, i));
        }
    }
    return 0;
}

// --- add ---

static int open_all(struct change *change, struct err *err) {
    const struct init_plan *plan = change->init->plan;
    for (size_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *mount = &plan->mounts[i];
        change->fds[i] = mount_make(change->init, mount, err);
        if (change->fds[i] < 0 || mount_set_attributes(mount, change->fds[i], err) < 0) {
            return err_in(err, "mount %s", mount->target);
        }
    }
    return 0;
}

static int attach(struct init *init, const struct plan_mount *mount, int tree, struct err *err) {
    struct mount_target target;
    if (mount_open_target(init, mount, tree, &target, err) < 0) {
        return -1;
    }
    AUTO_FD int target_fd = target.fd;
    struct stat status;
    if (mount_keeps_mode(mount, &target) &&
        (fstat(target_fd, &status) < 0 || fchmodat(tree, ".", status.st_mode & 07777, 0) < 0)) {
        return err_sys(err, "set the mode of the tmpfs");
    }
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount->seal && sys_mount_setattr(tree, "", AT_EMPTY_PATH, &readonly) < 0) {
        return err_sys(err, "make the mount read-only");
    }
    if (sys_move_mount(tree, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return err_sys(err, "attach the mount");
    }
    return 0;
}

static void detach_all(struct change *change) {
    while (change->attached > 0) {
        bool was_there;
        struct err err;
        change->attached--;
        if (mount_point_detach(change->init->proc_fd, change->fds[change->attached], &was_there, &err) < 0) {
            err_in(&err, "take %s away again", change->init->plan->mounts[change->attached].target);
            init_warn(change->init, err.text);
        }
    }
}

static int attach_all(struct change *change, struct err *err) {
    const struct init_plan *plan = change->init->plan;
    for (size_t i = 0; i < plan->mount_count; i++) {
        if (attach(change->init, &plan->mounts[i], change->fds[i], err) < 0) {
            return err_in(err, "mount %s", plan->mounts[i].target);
        }
        change->attached++;
    }
    return check_still_hidden(change, err);
}

static int add(struct change *change, struct err *err) {
    struct init *init = change->init;
    if ((init->plan->mount_namespace && init_leave_host(init->plan, err) < 0) || join(init, false, err) < 0 || open_all(change, err) < 0) {
        return -1;
    }
    if (enter(change, err) < 0 || look_at_all_hidden(change, err) < 0) {
        return -1;
    }
    int result = attach_all(change, err);
    if (result < 0) {
        detach_all(change);
    }
    return result;
}

// --- remove ---

static int read_table(struct init *init, char **ret, struct err *err) {
    size_t size;
    AUTO_FD int fd = procfs_try_open_own(init->proc_fd, "mountinfo", O_RDONLY);
    if (fd < 0) {
        return err_sys(err, "open the container's table of mounts");
    }
    return fd_read_rest(fd, MOUNTINFO_MAX_BYTES, "the container's table of mounts", ret, &size, err);
}

static int find_target(struct change *change, size_t i, uint64_t root, struct err *err) {
    struct init *init = change->init;
    const struct plan_mount *mount = &init->plan->mounts[i];
    struct mount_point point;
    change->fds[i] = root_open(init->root_fd, mount->target, O_PATH, err);
    if (change->fds[i] < 0) {
        return -1;
    }
    if (mount_point_look(change->fds[i], &point) < 0) {
        return err_sys(err, "look at the mount");
    }
    if (point.id == root) {
        return err_set(err, ERR_INPUT, "nothing is mounted there: it lies in the container's root file system");
    }
    if (!point.is_root) {
        return err_set(err, ERR_INPUT, "nothing is mounted there: it lies in what is mounted above it");
    }
    for (size_t k = 0; k < i; k++) {
        if (change->ids[k] == point.id) {
            return err_set(err, ERR_INPUT, "it is the same mount as mounts[%u]", init->plan->mounts[k].number);
        }
    }
    change->ids[i] = point.id;
    return 0;
}

// Below what hides a path, and below what it lies on, the path may be there again for all to see.
static int check_hides_nothing(const struct change *change, size_t i, const char *table, struct err *err) {
    const struct init_plan *plan = change->init->plan;
    for (size_t k = 0; k < hidden_count(plan); k++) {
        uint64_t id = change->hidden[k], below = 0;
        // The first mount of a namespace is its own parent.
        for (int steps = 0; id != below && id != change->ids[i] && steps < MAX_ANCESTORS; steps++) {
            below = id;
            id = mountinfo_parent(table, id);
        }
        if (id == change->ids[i]) {
            return err_set(err, ERR_INPUT, "%s of %s lies there, and would not be hidden any more", hidden_path(plan, k),
                           hidden_by(plan, k));
        }
    }
    return 0;
}

static int find_all(struct change *change, struct err *err) {
    struct init *init = change->init;
    const struct init_plan *plan = init->plan;
    struct mount_point root;
    AUTO_FREE char *table = NULL;
    if (look_at_all_hidden(change, err) < 0 || read_table(init, &table, err) < 0) {
        return -1;
    }
    if (mount_point_look(init->root_fd, &root) < 0) {
        return err_sys(err, "look at the container's root directory");
    }
    for (size_t i = 0; i < plan->mount_count; i++) {
        if (find_target(change, i, root.id, err) < 0 || check_hides_nothing(change, i, table, err) < 0) {
            return err_in(err, "unmount %s", plan->mounts[i].target);
        }
    }
    return 0;
}

// What was mounted on one that is gone by now went with it. A mount that came from a more privileged user namespace is locked.
static int detach(const struct change *change, size_t i, struct err *err) {
    struct init *init = change->init;
    bool detached;
    if (mount_point_detach(init->proc_fd, change->fds[i], &detached, err) < 0) {
        return -1;
    }
    AUTO_FREE char *table = NULL;
    if (detached) {
        return 0;
    }
    if (read_table(init, &table, err) < 0) {
        return -1;
    }
    return mountinfo_parent(table, change->ids[i]) == 0
               ? 0
               : err_set(err, ERR_UNSUPPORTED, "the kernel keeps it, as it came from a user namespace with more privileges");
}

static int remove_mounts(struct change *change, struct err *err) {
    const struct init_plan *plan = change->init->plan;
    change->ids = arena_array(change->init->arena, plan->mount_count, sizeof(*change->ids));
    if (join(change->init, false, err) < 0 || enter(change, err) < 0 || find_all(change, err) < 0) {
        return -1;
    }
    for (size_t i = plan->mount_count; i > 0; i--) {
        if (detach(change, i - 1, err) < 0) {
            return err_in(err, "unmount %s", plan->mounts[i - 1].target);
        }
    }
    return 0;
}

int init_change_mounts(struct init *init, struct err *err) {
    const struct init_plan *plan = init->plan;
    struct change change = {.init = init, .fds = arena_array(init->arena, plan->mount_count, sizeof(*change.fds))};
    umask(022); // as when a container is made
    // The kernel forgets it with the change of ids that came after it (PR_SET_PDEATHSIG, prctl(2)).
    if (plan->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return err_sys(err, "ask to be told when the runtime ends");
    }
    // While the host's is in reach.
    if (init_proc(init, err) < 0) {
        return -1;
    }
    int result = plan->change == PLAN_CHANGE_ADD ? add(&change, err) : remove_mounts(&change, err);
    return result < 0 ? -1 : channel_send(init->channel, CHANNEL_READY, NULL, 0, NULL, 0, err);
}
