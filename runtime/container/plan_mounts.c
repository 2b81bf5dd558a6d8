#include "runtime/base/err.h"
#include "runtime/container/mount_options.h"
#include "runtime/container/notify.h"
#include "runtime/container/options.h"
#include "runtime/container/plan.h"
#include "runtime/container/plan_mounts.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/lsm.h"
#include "runtime/kernel/sys.h"
#include "specs/oci_config.h"

#include <stdio.h>
#include <string.h>

// One entry of the configuration, with what was read of it, on its way into the plan.
struct wish {
    const struct oci_mount *from;
    size_t number;
    const char *document;
    struct mount_options options;
    const char *type; // "" for none
};

static int refuse(const struct wish *wish, const char *field, const char *what, struct err *err) {
    return err_set(err, ERR_INPUT, "%s: mounts[%zu].%s: %s", wish->document, wish->number, field, what);
}

// "//dev/./shm/" is "/dev/shm"; relative paths are relative to "/" (runtime-spec, "Mounts"). ".." is left to the kernel, which knows
// where links lead.
static const char *clean_target(struct arena *arena, const char *path) {
    char *clean = arena_format(arena, "/%s", path), *to = clean;
    for (const char *from = clean; *from;) {
        from += strspn(from, "/");
        size_t length = strcspn(from, "/");
        if (length > 0 && !(length == 1 && *from == '.')) {
            *to++ = '/';
            memmove(to, from, length);
            to += length;
        }
        from += length;
    }
    *(to == clean ? to + 1 : to) = '\0';
    return clean;
}

static struct plan_mount *add_mount(struct container_plan *plan, const struct wish *wish) {
    const struct mount_options *options = &wish->options;
    struct plan_mount *mount = &plan->init.mounts[plan->init.mount_count++];
    *mount = (struct plan_mount){
        .number = (uint32_t)wish->number,
        .target = clean_target(&plan->arena, wish->from->destination),
        .tree_fd = -1,
        .attr_set = options->set,
        .attr_clear = options->clear,
        .tree_attr_set = options->tree_set,
        .tree_attr_clear = options->tree_clear,
        .propagation = options->propagation,
        .tree_propagation = options->tree_propagation,
        .nofollow = options->nofollow_target,
        .nofollow_source = options->nofollow_source,
        .copy_symlink = options->copy_symlink,
        .copy_up = options->copy_up,
    };
    return mount;
}

// --- binds ---

static bool holds_cgroups(const char *source) {
    static const char cgroups[] = "/sys/fs/cgroup";
    size_t length = strlen(source);
    while (length > 1 && source[length - 1] == '/') {
        length--;
    }
    return length >= strlen("/sys") && length < sizeof(cgroups) && strncmp(source, cgroups, length) == 0 &&
           (cgroups[length] == '/' || cgroups[length] == '\0');
}

static bool has_other_user(const struct container_plan *plan) {
    return (plan->namespaces & CLONE_NEWUSER) || plan->join_user;
}

// crun's "uids=0-1-10#10-11-10": first id of the file system, first id of the host ("@": of the container), how many.
static int read_ranges(struct container_plan *plan, const struct wish *wish, const char *text, const struct idmap *container,
                       struct idmap *ret, struct err *err) {
    enum { MAX_RANGES = IDMAP_MAX_RANGES };
    struct id_range *ranges = arena_array(&plan->arena, MAX_RANGES, sizeof(*ranges));
    size_t count = 0;
    for (;;) {
        unsigned long inside, outside, size;
        int used = 0;
        bool relative = *text == '@';
        if (count == MAX_RANGES || sscanf(text + relative, "%lu-%lu-%lu%n", &inside, &outside, &size, &used) != 3 || size == 0 ||
            inside + size > UINT32_MAX || outside + size > UINT32_MAX || text[relative] == '-' || text[relative] == '+') {
            return refuse(wish, "options", "expected idmap=uids=FIRST-FIRST-COUNT#...;gids=FIRST-FIRST-COUNT#...", err);
        }
        uint32_t host = (uint32_t)outside;
        if (relative && container->count > 0 && !idmap_outside(container, (uint32_t)outside, &host)) {
            return refuse(wish, "options", "idmap: an id behind \"@\" is not mapped in the container's user namespace", err);
        }
        ranges[count++] = (struct id_range){.inside = (uint32_t)inside, .outside = host, .count = (uint32_t)size};
        text += relative + used;
        if (*text != '#') {
            break;
        }
        text++;
    }
    *ret = (struct idmap){ranges, count};
    return *text == '\0' || *text == ';' ? 0 : refuse(wish, "options", "expected idmap=uids=...;gids=...", err);
}

static int read_idmap(struct container_plan *plan, const struct wish *wish, struct plan_tree *tree, struct err *err) {
    const char *text = wish->options.idmap_text;
    if (!text) {
        tree->uids = container_plan_map(&plan->arena, wish->from->uid_mappings, wish->from->uid_mappings_count);
        tree->gids = container_plan_map(&plan->arena, wish->from->gid_mappings, wish->from->gid_mappings_count);
        return 0;
    }
    const char *uids = strstr(text, "uids="), *gids = strstr(text, "gids=");
    if (!uids || !gids) {
        return refuse(wish, "options", "idmap=: needs both uids= and gids=", err);
    }
    return read_ranges(plan, wish, uids + strlen("uids="), &plan->uids, &tree->uids, err) < 0 ||
                   read_ranges(plan, wish, gids + strlen("gids="), &plan->gids, &tree->gids, err) < 0
               ? -1
               : 0;
}

static int check_bind(const struct wish *wish, const struct container_plan *plan, bool idmap, struct err *err) {
    const struct oci_mount *from = wish->from;
    if (!from->source || !*from->source) {
        return refuse(wish, "source", "a bind mount needs one", err);
    }
    if (wish->options.data_count > 0) {
        return err_set(err, ERR_INPUT, "%s: mounts[%zu].options: \"%s\" is no option of a bind mount", wish->document, wish->number,
                       wish->options.data[0]);
    }
    if (wish->options.copy_up) {
        return refuse(wish, "options", "tmpcopyup: only a tmpfs can be filled", err);
    }
    if (idmap && !plan->opens_trees) {
        return err_set(err, ERR_UNSUPPORTED, "%s: mounts[%zu]: only root can map the ids of a mount", wish->document, wish->number);
    }
    if (idmap && !has_other_user(plan) && from->uid_mappings_count == 0 && !wish->options.idmap_text) {
        return refuse(wish, "options", "idmap needs a user namespace of the container's, or uidMappings and gidMappings of the mount", err);
    }
    return 0;
}

static const struct container_tree *given_tree(const struct container_options *options, const struct oci_mount *from) {
    for (size_t i = 0; i < options->tree_count; i++) {
        if (strcmp(options->trees[i].destination, from->destination) == 0) {
            return &options->trees[i];
        }
    }
    return NULL;
}

static int plan_bind(const struct container_options *options, const struct wish *wish, struct container_plan *plan, struct err *err) {
    const struct oci_mount *from = wish->from;
    const struct mount_options *read = &wish->options;
    bool idmap = read->idmap || read->idmap_tree || from->uid_mappings_count > 0;
    if (check_bind(wish, plan, idmap, err) < 0) {
        return -1;
    }
    struct plan_mount *mount = add_mount(plan, wish);
    mount->source = from->source[0] == '/' ? from->source : arena_format(&plan->arena, "%s/%s", options->bundle, from->source);
    mount->below = from->source_below;
    mount->recursive = read->recursive_bind;
    mount->kind = PLAN_MOUNT_BIND;
    // "ro" is of the top alone, and a user's own cgroup of the host, below /sys, would stay writable from inside (CVE-2023-25809).
    if (mount->recursive && (read->set & MOUNT_ATTR_RDONLY) && (!plan->privileged || has_other_user(plan)) &&
        holds_cgroups(mount->source)) {
        mount->tree_attr_set |= MOUNT_ATTR_RDONLY;
    }
    const struct container_tree *given = given_tree(options, from);
    if (!given && (!plan->opens_trees || (!has_other_user(plan) && !idmap && !plan->running && !plan->joins_mounts))) {
        return 0; // init can open it as well as we can
    }
    mount->kind = PLAN_MOUNT_TREE;
    struct plan_tree *tree = &plan->trees[plan->tree_count++];
    *tree = (struct plan_tree){
        .index = plan->init.mount_count - 1,
        .source = mount->source,
        .below = mount->below,
        .is_given = given != NULL,
        .given_fd = given ? given->fd : -1,
        .recursive = read->recursive_bind,
        .nofollow = read->nofollow_source || read->copy_symlink,
        .idmap = idmap,
        .idmap_tree = read->idmap_tree,
        .propagation = read->tree_propagation | read->propagation,
    };
    if (idmap && read_idmap(plan, wish, tree, err) < 0) {
        return -1;
    }
    plan->needs_userns = plan->needs_userns || (idmap && tree->uids.count == 0);
    return 0;
}

// --- new file systems ---

static void add_options(struct container_plan *plan, const struct wish *wish, struct plan_mount *mount) {
    const struct mount_options *read = &wish->options;
    mount->options = arena_array(&plan->arena, read->flag_count + read->data_count + 2, sizeof(*mount->options));
    memcpy(mount->options, read->flags, read->flag_count * sizeof(*mount->options));
    memcpy(mount->options + read->flag_count, read->data, read->data_count * sizeof(*mount->options));
    mount->option_count = read->flag_count + read->data_count;
}

// See bind_instead() of init/filesystem.c.
static const char *tree_instead(const struct oci_config *config, const char *fstype, const struct container_plan *plan) {
    if (plan->running || (plan->privileged && !has_other_user(plan))) {
        return NULL;
    }
    if (strcmp(fstype, "proc") == 0) {
        return oci_config_namespace(config, CLONE_NEWPID) ? NULL : "/proc";
    }
    return strcmp(fstype, "sysfs") == 0 ? "/sys" : NULL;
}

// Quotes keep the commas of the label's categories from being read as the ends of options.
static int add_label(const struct oci_config *config, struct container_plan *plan, struct plan_mount *mount, struct err *err) {
    const char *label = config->os.mount_label;
    if (!label || strcmp(mount->fstype, "proc") == 0 || strcmp(mount->fstype, "sysfs") == 0) {
        return 0;
    }
    if (!lsm_is_on(LSM_SELINUX)) {
        return err_set(err, ERR_UNSUPPORTED, "config.json: linux.mountLabel: this host has no SELinux, or it is off; leave the label out");
    }
    // An mqueue is of the ipc namespace and older than the mount, which cannot give it a context any more.
    if (strcmp(mount->fstype, "mqueue") == 0) {
        mount->label = label;
        return 0;
    }
    mount->options[mount->option_count++] = arena_format(&plan->arena, "context=\"%s\"", label);
    return 0;
}

static int check_new(const struct wish *wish, struct err *err) {
    if (!*wish->type) {
        return refuse(wish, "type", "expected a type of file system, or the option bind", err);
    }
    if (wish->from->uid_mappings_count > 0 || wish->options.idmap || wish->options.idmap_tree) {
        return refuse(wish, "options", "only the ids of a bind mount can be mapped", err);
    }
    if (wish->options.copy_up && strcmp(wish->type, "tmpfs") != 0) {
        return refuse(wish, "options", "tmpcopyup: only a tmpfs can be filled", err);
    }
    return 0;
}

static int plan_new(const struct oci_config *config, const struct wish *wish, struct container_plan *plan, struct err *err) {
    if (check_new(wish, err) < 0) {
        return -1;
    }
    struct plan_mount *mount = add_mount(plan, wish);
    mount->kind = PLAN_MOUNT_NEW;
    mount->fstype = wish->type;
    mount->instead = tree_instead(config, wish->type, plan);
    mount->source = wish->from->source;
    add_options(plan, wish, mount);
    // Directories and devices are yet to be made on these.
    if ((mount->attr_set & MOUNT_ATTR_RDONLY) && (strcmp(wish->type, "tmpfs") == 0 || strcmp(mount->target, "/dev") == 0)) {
        mount->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        mount->seal = true;
    }
    return add_label(config, plan, mount, err);
}

// --- cgroups ---

static const char *controllers_of(struct container_plan *plan, uint32_t mask) {
    if (mask & CGROUP_MASK(CGROUP_UNIFIED)) {
        return NULL;
    }
    if (mask & CGROUP_MASK(CGROUP_SYSTEMD)) {
        return "none,name=systemd";
    }
    const char *words = "";
    for (unsigned controller = 0; controller < CGROUP_SYSTEMD; controller++) {
        if (mask & CGROUP_MASK(controller)) {
            const char *word = controller == CGROUP_IO ? "blkio" : cgroup_controller_name(controller);
            words = arena_format(&plan->arena, "%s%s%s", words, *words ? "," : "", word);
        }
    }
    return words;
}

static void plan_hierarchies(const struct wish *wish, const struct cgroup_host *host, bool own, struct container_plan *plan) {
    struct init_plan *init = &plan->init;
    struct plan_mount *mount = add_mount(plan, wish);
    mount->kind = PLAN_MOUNT_CGROUPS;
    mount->seal = wish->options.set & MOUNT_ATTR_RDONLY;
    init->bind_hierarchies = !own;
    init->write_hierarchies = !(wish->options.set & MOUNT_ATTR_RDONLY) && plan->privileged && !has_other_user(plan);
    init->hierarchies = arena_array(&plan->arena, host->count, sizeof(*init->hierarchies));
    for (size_t i = 0; i < host->count; i++) {
        const struct cgroup_hierarchy *from = &host->hierarchies[i];
        if (!strchr(from->name, '/')) {
            init->hierarchies[init->hierarchy_count++] = (struct plan_hierarchy){
                .name = arena_copy_string(&plan->arena, from->name),
                .fstype = (from->controllers & CGROUP_MASK(CGROUP_UNIFIED)) ? "cgroup2" : "cgroup",
                .data = controllers_of(plan, from->controllers),
                .root = arena_copy_string(&plan->arena, from->root),
            };
        }
    }
}

// The container's own view of its cgroup: a new mount in its cgroup namespace. Without one the host's tree would show, and may not be
// changed; nor may that of a namespace that others are in (CVE-2023-25809).
static int plan_unified(const struct wish *wish, const struct oci_config *config, struct container_plan *plan) {
    const uint64_t safe = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    struct plan_mount *mount = add_mount(plan, wish);
    if (oci_config_namespace(config, CLONE_NEWCGROUP)) {
        mount->kind = PLAN_MOUNT_NEW;
        mount->fstype = "cgroup2";
        mount->source = "cgroup2";
        mount->attr_set |= plan->init.new_cgroup_namespace ? 0 : safe;
        add_options(plan, wish, mount);
        return 0;
    }
    mount->kind = PLAN_MOUNT_BIND;
    mount->source = "/sys/fs/cgroup";
    mount->recursive = true;
    mount->tree_attr_set |= safe;
    if (!plan->privileged || has_other_user(plan)) {
        mount->attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY; // "rw" may be asked for: never of what others' processes are in
        mount->tree_attr_clear &= ~(uint64_t)MOUNT_ATTR_RDONLY;
    }
    return 0;
}

static int plan_cgroups(const struct wish *wish, const struct oci_config *config, struct container_plan *plan, struct err *err) {
    plan->cgroup_writable = !(wish->options.set & MOUNT_ATTR_RDONLY);
    if (strcmp(wish->type, "cgroup2") == 0) {
        return plan_unified(wish, config, plan);
    }
    if (container_plan_cgroup_host(plan, err) < 0) {
        return -1;
    }
    const struct cgroup_host *host = &plan->cgroup_host;
    if (host->version == CGROUP_V2) {
        return plan_unified(wish, config, plan);
    }
    if (host->version == CGROUP_V1 && plan->init.hierarchies) {
        return refuse(wish, "type", "a second mount of type cgroup", err);
    }
    if (host->version == CGROUP_V1) {
        plan_hierarchies(wish, host, plan->init.new_cgroup_namespace, plan);
    }
    return 0;
}

// --- all ---

static int plan_change(const struct wish *wish, struct container_plan *plan, struct err *err) {
    if (wish->from->uid_mappings_count > 0 || wish->options.idmap || wish->options.idmap_tree) {
        return refuse(wish, "options", "the ids of a mount are mapped when it is made, not by remount", err);
    }
    struct plan_mount *mount = add_mount(plan, wish);
    mount->kind = PLAN_MOUNT_CHANGE;
    if (!wish->options.bind) {
        add_options(plan, wish, mount);
    }
    return 0;
}

// What belongs to the making of a container is refused in one that runs. Where its processes are at work, what is copied or made in its
// files may be anything by then, and could not be undone; a procfs has to be masked, and cgroups are seen from where init began.
static int check_hot(const struct wish *wish, struct err *err) {
    if (wish->options.remount) {
        return refuse(wish, "options", "remount: a running container gets new mounts only; remove the old one and add it anew", err);
    }
    if (wish->options.copy_up || wish->options.copy_symlink) {
        return refuse(wish, "options", wish->options.copy_up ? "tmpcopyup: only where the container is created"
                                                             : "copy-symlink: only where the container is created", err);
    }
    if (!wish->options.bind &&
        (strcmp(wish->type, "proc") == 0 || strcmp(wish->type, "cgroup") == 0 || strcmp(wish->type, "cgroup2") == 0)) {
        return refuse(wish, "type", "proc, cgroup and cgroup2 are mounted when the container is created, not while it runs", err);
    }
    return 0;
}

static int check_destination(const struct wish *wish, struct container_plan *plan, struct err *err) {
    if (strcmp(clean_target(&plan->arena, wish->from->destination), "/") == 0) {
        return refuse(wish, "destination", "expected a path below /; what is on / itself is root.path", err);
    }
    return 0;
}

static const char *document_of(const struct container_options *options) {
    return options->document ? options->document : "config.json";
}

static int plan_entry(const struct container_options *options, const struct oci_mount *from, size_t number, struct container_plan *plan,
                      struct err *err) {
    const struct oci_config *config = options->config;
    struct wish wish = {.from = from, .number = number, .document = document_of(options)};
    if (mount_options_read(&plan->arena, wish.from->options, wish.from->options_count, &wish.options, err) < 0) {
        return err_in(err, "%s: mounts[%zu]", wish.document, number);
    }
    wish.type = wish.from->type ? wish.from->type : "";
    if (check_destination(&wish, plan, err) < 0 || (plan->running && check_hot(&wish, err) < 0)) {
        return -1;
    }
    if (wish.options.remount) {
        return plan_change(&wish, plan, err);
    }
    // The options tell it, and not the type (runtime-spec, "mounts"): who forgot them is not given a mount that he may not have meant.
    if (!wish.options.bind && strcmp(wish.type, "bind") == 0) {
        return refuse(&wish, "options", "a bind mount needs bind or rbind among them, whatever its type", err);
    }
    if (wish.options.bind) {
        return plan_bind(options, &wish, plan, err);
    }
    if (strcmp(wish.type, "cgroup") == 0 || strcmp(wish.type, "cgroup2") == 0) {
        return check_new(&wish, err) < 0 ? -1 : plan_cgroups(&wish, config, plan, err);
    }
    return plan_new(config, &wish, plan, err);
}

int container_plan_unmount(const struct container_options *options, size_t number, struct container_plan *plan, struct err *err) {
    struct wish wish = {.from = &options->config->mounts[number], .number = number, .document = document_of(options)};
    if (check_destination(&wish, plan, err) < 0) {
        return -1;
    }
    add_mount(plan, &wish);
    return 0;
}

int container_plan_mount(const struct container_options *options, size_t number, struct container_plan *plan, struct err *err) {
    return plan_entry(options, &options->config->mounts[number], number, plan, err);
}

// The folder of the socket by which the container says that it is ready.
static int plan_notify(const struct container_options *options, struct container_plan *plan, struct err *err) {
    static const char *bound[] = {"bind", "nosuid", "nodev", "noexec", "ro", NULL};
    const struct oci_mount folder = {
        .destination = NOTIFY_TARGET,
        .source = arena_format(&plan->arena, "%s/%s/" NOTIFY_FOLDER, options->root, options->id),
        .options = bound,
        .options_count = ARRAY_LEN(bound) - 1,
    };
    return plan_entry(options, &folder, options->config->mounts_count, plan, err);
}

int container_plan_mounts(const struct container_options *options, struct container_plan *plan, struct err *err) {
    const struct oci_config *config = options->config;
    plan->init.mounts = arena_array(&plan->arena, config->mounts_count + 1, sizeof(*plan->init.mounts));
    plan->trees = arena_array(&plan->arena, config->mounts_count + 1 + container_plan_device_count(config), sizeof(*plan->trees));
    for (size_t i = 0; i < config->mounts_count; i++) {
        if (container_plan_mount(options, i, plan, err) < 0) {
            return -1;
        }
    }
    if (options->notify_socket && plan_notify(options, plan, err) < 0) {
        return -1;
    }
    return container_plan_devices(config, plan, err);
}
