#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/mount_options.h"
#include "runtime/container/notify.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/overlay.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// One mount of the configuration becomes one of the plan, but for cgroups of version 1: a tmpfs, a mount for each hierarchy, and the
// tmpfs made read-only. So the plan has room for that.
// And for that of the notify socket.
enum { EXTRA_MOUNTS = CGROUP_MAX_HIERARCHIES + 2 + 1 };

// The devices of every container (runtime-spec, "Default Devices"); /dev/console and /dev/ptmx come with the terminal and devpts.
static const struct {
    const char *path;
    uint32_t major, minor;
} default_devices[] = {
    {"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

static struct plan_mount *add_mount(struct container_plan *plan, const char *target) {
    struct plan_mount *mount = &plan->init.mounts[plan->init.mount_count++];
    mount->target = target[0] == '/' ? target : arena_format(&plan->arena, "/%s", target);
    mount->tree_fd = -1;
    return mount;
}

static void set_attributes(struct plan_mount *mount, const struct mount_options *options) {
    mount->attr_set = options->set;
    mount->attr_clear = options->clear;
    mount->tree_attr_set = options->tree_set;
    mount->tree_attr_clear = options->tree_clear;
    mount->propagation = options->propagation;
    mount->tree_propagation = options->tree_propagation;
    mount->nofollow = options->nofollow_target;
    mount->copy_up = options->copy_up;
}

static bool holds_cgroups(const char *source) {
    static const char cgroups[] = "/sys/fs/cgroup";
    size_t length = strlen(source);
    while (length > 1 && source[length - 1] == '/') {
        length--;
    }
    return length >= strlen("/sys") && length < sizeof(cgroups) && strncmp(source, cgroups, length) == 0 &&
           (cgroups[length] == '/' || cgroups[length] == '\0');
}

static int plan_bind(const struct container_options *options, const struct oci_mount *from, const struct mount_options *read,
                     struct container_plan *plan, struct err *err) {
    struct plan_mount *mount = add_mount(plan, from->destination);
    set_attributes(mount, read);
    if (!from->source || !*from->source) {
        return err_set(err, ERR_INPUT, "config.json: mounts: \"%s\" is a bind mount without a source", from->destination);
    }
    mount->source = from->source[0] == '/' ? from->source : arena_format(&plan->arena, "%s/%s", options->bundle, from->source);
    mount->recursive = read->recursive_bind;
    mount->kind = PLAN_MOUNT_BIND;
    bool new_user = plan->namespaces & CLONE_NEWUSER;
    // "ro" is of the top alone, and a user's own cgroup of the host, below /sys, would stay writable from inside (CVE-2023-25809).
    if (mount->recursive && (read->set & MOUNT_ATTR_RDONLY) && (!plan->privileged || new_user || plan->join_user) &&
        holds_cgroups(mount->source)) {
        mount->tree_attr_set |= MOUNT_ATTR_RDONLY;
    }
    bool idmap = read->idmap || read->idmap_tree || from->uid_mappings_count > 0;
    if (idmap && !plan->opens_trees) {
        return err_set(err, ERR_UNSUPPORTED, "mount %s: only root can map the ids of a mount", from->destination);
    }
    if (idmap && !new_user && from->uid_mappings_count == 0) {
        return err_set(err, ERR_INPUT, "config.json: mounts: \"%s\": idmap needs a new user namespace or mappings of its own",
                       from->destination);
    }
    if (!plan->opens_trees || (!new_user && !idmap && !plan->join_user)) {
        return 0; // init can open it as well as we can
    }
    mount->kind = PLAN_MOUNT_TREE;
    struct plan_tree *tree = &plan->trees[plan->tree_count++];
    *tree = (struct plan_tree){
        .index = plan->init.mount_count - 1,
        .source = mount->source,
        .recursive = read->recursive_bind,
        .nofollow = read->nofollow_source,
        .idmap = idmap,
        .uids = container_plan_map(&plan->arena, from->uid_mappings, from->uid_mappings_count),
        .gids = container_plan_map(&plan->arena, from->gid_mappings, from->gid_mappings_count),
        .propagation = read->tree_propagation | read->propagation,
    };
    plan->needs_userns = plan->needs_userns || (idmap && tree->uids.count == 0);
    return 0;
}

static const char **copy_options(struct arena *arena, const struct mount_options *read) {
    const char **options = arena_array(arena, read->data_count + 1, sizeof(*options));
    memcpy(options, read->data, read->data_count * sizeof(*options));
    return options;
}

// See bind_instead() of init/mounts.c.
static const char *tree_instead(const struct oci_config *config, const char *fstype, const struct container_plan *plan) {
    if (plan->privileged && !(plan->namespaces & CLONE_NEWUSER) && !plan->join_user) {
        return NULL;
    }
    if (strcmp(fstype, "proc") == 0) {
        return oci_config_namespace(config, CLONE_NEWPID) ? NULL : "/proc";
    }
    return strcmp(fstype, "sysfs") == 0 ? "/sys" : NULL;
}

static void plan_new(const struct oci_config *config, const struct oci_mount *from, const struct mount_options *read,
                     struct container_plan *plan) {
    struct plan_mount *mount = add_mount(plan, from->destination);
    set_attributes(mount, read);
    mount->kind = PLAN_MOUNT_NEW;
    mount->fstype = from->type;
    mount->instead = tree_instead(config, from->type, plan);
    mount->source = from->source;
    mount->options = copy_options(&plan->arena, read);
    mount->option_count = read->data_count;
}

static void plan_v1_tmpfs(const struct oci_mount *from, struct container_plan *plan) {
    struct plan_mount *tmpfs = add_mount(plan, from->destination);
    tmpfs->kind = PLAN_MOUNT_NEW;
    tmpfs->fstype = "tmpfs";
    tmpfs->source = "tmpfs";
    tmpfs->attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    tmpfs->options = arena_array(&plan->arena, 2, sizeof(*tmpfs->options));
    tmpfs->options[tmpfs->option_count++] = "mode=0755";
}

static void seal_v1_tmpfs(const struct oci_mount *from, struct container_plan *plan) {
    struct plan_mount *seal = add_mount(plan, from->destination);
    seal->kind = PLAN_MOUNT_CHANGE;
    seal->attr_set = MOUNT_ATTR_RDONLY;
}

// Without a cgroup namespace: of each hierarchy the container's own group is bound, once it is there (container_plan_bind_cgroups()).
// Until then, and where it has none, it is the whole hierarchy, which must not be written (CVE-2023-25809).
static void plan_v1_binds(const struct oci_mount *from, const struct mount_options *read, const struct cgroup_host *host,
                          struct container_plan *plan) {
    plan_v1_tmpfs(from, plan);
    plan->cgroup_binds = plan->init.mount_count;
    for (size_t i = 0; i < host->count; i++) {
        struct plan_mount *mount = add_mount(plan, arena_format(&plan->arena, "%s/%s", from->destination, host->hierarchies[i].name));
        set_attributes(mount, read);
        mount->kind = PLAN_MOUNT_BIND;
        mount->source = arena_format(&plan->arena, "/sys/fs/cgroup/%s", host->hierarchies[i].name);
        mount->attr_set |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    }
    plan->cgroup_bind_count = host->count;
    seal_v1_tmpfs(from, plan);
}

void container_plan_bind_cgroups(const struct cgroup *cgroup, struct container_plan *plan) {
    for (size_t i = 0; i < plan->cgroup_bind_count; i++) {
        struct plan_mount *mount = &plan->init.mounts[plan->cgroup_binds + i];
        for (size_t k = 0; k < cgroup->count; k++) {
            const char *name = strrchr(mount->source, '/') + 1;
            if (strcmp(cgroup->dirs[k].hierarchy->name, name) == 0) {
                mount->source = arena_format(&plan->arena, "/sys/fs/cgroup/%s", cgroup->dirs[k].path);
                mount->attr_set &= ~(plan->cgroup_writable ? (uint64_t)MOUNT_ATTR_RDONLY : 0);
                break;
            }
        }
    }
}

// The tmpfs over the hierarchies is made read-only once they are on it.
static void plan_v1_cgroups(const struct oci_mount *from, const struct mount_options *read, const struct cgroup_host *host,
                            struct container_plan *plan) {
    plan_v1_tmpfs(from, plan);
    for (size_t i = 0; i < host->count; i++) {
        const struct cgroup_hierarchy *hierarchy = &host->hierarchies[i];
        struct plan_mount *mount = add_mount(plan, arena_format(&plan->arena, "%s/%s", from->destination, hierarchy->name));
        set_attributes(mount, read);
        mount->kind = PLAN_MOUNT_NEW;
        mount->source = "cgroup";
        mount->may_fail = true; // a hierarchy that the host does not let a namespace mount is left out
        mount->options = arena_array(&plan->arena, CGROUP_CONTROLLER_COUNT + 2, sizeof(*mount->options));
        if (hierarchy->controllers & CGROUP_MASK(CGROUP_UNIFIED)) {
            mount->fstype = "cgroup2";
            continue;
        }
        mount->fstype = "cgroup";
        if (hierarchy->controllers & CGROUP_MASK(CGROUP_SYSTEMD)) {
            mount->options[mount->option_count++] = "none";
            mount->options[mount->option_count++] = "name=systemd";
            continue;
        }
        for (unsigned controller = 0; controller < CGROUP_SYSTEMD; controller++) {
            if (hierarchy->controllers & CGROUP_MASK(controller)) {
                const char *word = controller == CGROUP_IO ? "blkio" : cgroup_controller_name(controller);
                mount->options[mount->option_count++] = arena_copy_string(&plan->arena, word);
            }
        }
    }
    if (read->set & MOUNT_ATTR_RDONLY) {
        seal_v1_tmpfs(from, plan);
    }
}

// The container's own view of its cgroup: a new mount in its cgroup namespace. Without such a namespace the host's tree would show,
// so it is bound read-only (CVE-2023-25809); of version 1 the container's own group can be bound alone.
static int plan_cgroups(const struct oci_mount *from, const struct mount_options *read, struct container_plan *plan, struct err *err) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    plan->cgroup_writable = !(read->set & MOUNT_ATTR_RDONLY);
    bool other_user = (plan->namespaces & CLONE_NEWUSER) || plan->join_user;
    if ((plan->init.new_cgroup_namespace || (plan->privileged && !other_user)) && cgroup_detect(&host, err) < 0) {
        return -1;
    }
    if (!plan->init.new_cgroup_namespace && host.version == CGROUP_V1) {
        plan_v1_binds(from, read, &host, plan);
        return 0;
    }
    if (!plan->init.new_cgroup_namespace) {
        struct plan_mount *mount = add_mount(plan, from->destination);
        set_attributes(mount, read);
        mount->kind = PLAN_MOUNT_BIND;
        mount->source = "/sys/fs/cgroup";
        mount->recursive = true;
        mount->tree_attr_set |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        if (!plan->privileged || (plan->namespaces & CLONE_NEWUSER) || plan->join_user) {
            mount->attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY; // "rw" may be asked for: never of what others' processes are in
            mount->tree_attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        }
        return 0;
    }
    if (host.version == CGROUP_V1) {
        plan_v1_cgroups(from, read, &host, plan);
    } else if (host.version == CGROUP_V2) {
        struct plan_mount *mount = add_mount(plan, from->destination);
        set_attributes(mount, read);
        mount->kind = PLAN_MOUNT_NEW;
        mount->fstype = "cgroup2";
        mount->source = "cgroup2";
    }
    return 0;
}

static int plan_mount(const struct container_options *options, const struct oci_mount *from, struct container_plan *plan,
                      struct err *err) {
    struct mount_options read;
    if (mount_options_read(&plan->arena, from->options, from->options_count, &read, err) < 0) {
        return -1;
    }
    const char *type = from->type ? from->type : "";
    if (read.remount) {
        struct plan_mount *mount = add_mount(plan, from->destination);
        set_attributes(mount, &read);
        mount->kind = PLAN_MOUNT_CHANGE;
        return 0;
    }
    if (read.bind || strcmp(type, "bind") == 0) {
        return plan_bind(options, from, &read, plan, err);
    }
    if (strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0) {
        return plan_cgroups(from, &read, plan, err);
    }
    if (!*type) {
        return err_set(err, ERR_INPUT, "config.json: mounts: \"%s\" needs a type, or the option bind", from->destination);
    }
    plan_new(options->config, from, &read, plan);
    return 0;
}

static void add_device_tree(struct container_plan *plan, size_t index, const char *source) {
    plan->trees[plan->tree_count++] = (struct plan_tree){.is_device = true, .index = index, .source = source};
}

static int plan_devices(const struct oci_config *config, struct container_plan *plan, struct err *err) {
    bool other_user = (plan->namespaces & CLONE_NEWUSER) || plan->join_user;
    bool bind = other_user || !plan->privileged;
    size_t count = ARRAY_LEN(default_devices) + config->os.devices_count;
    plan->init.devices = arena_array(&plan->arena, count, sizeof(*plan->init.devices));
    for (size_t i = 0; i < ARRAY_LEN(default_devices); i++) {
        plan->init.devices[i] = (struct plan_device){
            .path = default_devices[i].path,
            .mode = S_IFCHR | 0666,
            .major = default_devices[i].major,
            .minor = default_devices[i].minor,
            .bind = bind,
            .tree_fd = -1,
        };
    }
    plan->init.device_count = ARRAY_LEN(default_devices);
    for (size_t i = 0; i < config->os.devices_count; i++) {
        const struct oci_device *from = &config->os.devices[i];
        if (from->path[0] != '/') {
            return err_set(err, ERR_INPUT, "config.json: linux.devices[%zu].path: expected an absolute path, found \"%s\"", i, from->path);
        }
        plan->init.devices[plan->init.device_count++] = (struct plan_device){
            .path = from->path,
            .mode = from->type | (from->file_mode.set ? from->file_mode.value & 07777 : 0666),
            .major = (uint32_t)from->major,
            .minor = (uint32_t)from->minor,
            .uid = from->uid.value,
            .gid = from->gid.value,
            .bind = bind && from->type != S_IFIFO,
            .tree_fd = -1,
        };
    }
    for (size_t i = 0; plan->opens_trees && other_user && i < plan->init.device_count; i++) {
        if (plan->init.devices[i].bind) {
            add_device_tree(plan, i, plan->init.devices[i].path);
        }
    }
    return 0;
}

// A /dev that is bound from the host is left as it is.
static bool has_bound_dev(const struct init_plan *init) {
    for (size_t i = 0; i < init->mount_count; i++) {
        if (init->mounts[i].kind != PLAN_MOUNT_NEW && strcmp(init->mounts[i].target, "/dev") == 0) {
            return true;
        }
    }
    return false;
}

int container_plan_mounts(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_config *config = options->config;
    plan->init.mounts = arena_array(&plan->arena, config->mounts_count + EXTRA_MOUNTS, sizeof(*plan->init.mounts));
    plan->trees = arena_array(&plan->arena, config->mounts_count + 1 + config->os.devices_count + ARRAY_LEN(default_devices),
                              sizeof(*plan->trees));
    bool cgroups = false;
    for (size_t i = 0; i < config->mounts_count; i++) {
        const char *type = config->mounts[i].type;
        bool is_cgroup = type && strncmp(type, "cgroup", 6) == 0;
        if (is_cgroup && cgroups) {
            return err_set(err, ERR_INPUT, "config.json: mounts[%zu]: a second mount of type cgroup", i);
        }
        cgroups = cgroups || is_cgroup;
        if (plan_mount(options, &config->mounts[i], plan, err) < 0) {
            return -1;
        }
    }
    if (options->notify_socket) {
        static const char *bound[] = {"bind", "nosuid", "nodev", "noexec", "ro", NULL};
        const struct oci_mount folder = {
            .destination = NOTIFY_TARGET,
            .source = arena_format(&plan->arena, "%s/%s/" NOTIFY_FOLDER, options->root, options->id),
            .options = bound,
            .options_count = ARRAY_LEN(bound) - 1,
        };
        if (plan_mount(options, &folder, plan, err) < 0) {
            return -1;
        }
    }
    plan->init.make_devices = !has_bound_dev(&plan->init);
    return plan->init.make_devices ? plan_devices(config, plan, err) : 0;
}

// --- opening, once init's user namespace is there ---

static int open_mapped(const struct plan_tree *tree, int userns_fd, struct err *err) {
    AUTO_FD int own = -1;
    if (tree->uids.count > 0) {
        own = userns_create(&tree->uids, &tree->gids, err);
        if (own < 0) {
            return -1;
        }
    }
    int opened = idmapped_tree(AT_FDCWD, tree->source, own >= 0 ? own : userns_fd, tree->recursive, err);
    if (opened < 0 && err->kind == ERR_UNSUPPORTED) {
        err_in(err, "the file system of %s cannot show its files to another range of user ids; use --userns host, or another place",
               tree->source);
    }
    return opened;
}

static int open_tree(const struct plan_tree *tree, int userns_fd, struct err *err) {
    AUTO_FD int opened = -1;
    if (tree->idmap) {
        opened = open_mapped(tree, userns_fd, err);
    } else {
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (tree->recursive ? AT_RECURSIVE : 0) |
                         (tree->nofollow ? AT_SYMLINK_NOFOLLOW : 0);
        opened = sys_open_tree(AT_FDCWD, tree->source, flags);
        if (opened < 0) {
            err_sys(err, "open %s", tree->source);
        }
    }
    if (opened < 0) {
        return -1;
    }
    // The clone is in the host's peer group: what the container mounts below it would appear on the host. Only an explicit
    // "shared" leaves that.
    if (!(tree->propagation & MS_SHARED)) {
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
    const struct plan_tree tree = {.source = plan->init.root_path, .recursive = true};
    int fd = options->layers ? open_layers(options->layers, plan->needs_userns ? userns_fd : -1, err) : open_tree(&tree, -1, err);
    if (fd < 0 && err->errnum == EPERM && !options->layers) {
        plan->init.root_kind = PLAN_ROOT_PATH; // init opens it itself: see leave_to_init()
        return 0;
    }
    return fd < 0 ? -1 : container_plan_add_fd(plan, fd, &plan->init.root_fd, err);
}

// What a namespace of mounts that is not the caller's own does not let him clone, init opens itself.
static bool leave_to_init(const struct plan_tree *tree, struct container_plan *plan, const struct err *err) {
    if (err->errnum != EPERM || tree->idmap) {
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
        const char *target = tree->is_device ? plan->init.devices[tree->index].path : plan->init.mounts[tree->index].target;
        int32_t *place = tree->is_device ? &plan->init.devices[tree->index].tree_fd : &plan->init.mounts[tree->index].tree_fd;
        int fd = open_tree(tree, userns_fd, err);
        if (fd < 0 && leave_to_init(tree, plan, err)) {
            continue;
        }
        if (fd < 0 || container_plan_add_fd(plan, fd, place, err) < 0) {
            return err_in(err, "mount %s", target);
        }
    }
    return 0;
}
