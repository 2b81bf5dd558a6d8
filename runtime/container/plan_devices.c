#include "runtime/base/err.h"
#include "runtime/container/plan.h"
#include "runtime/container/plan_mounts.h"
#include "specs/oci_config.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>

// The devices of every container (runtime-spec, "Default Devices"); /dev/console and /dev/ptmx come with the terminal and devpts.
static const struct {
    const char *path;
    uint32_t major, minor;
} default_devices[] = {
    {"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7}, {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

// A /dev that is bound from the host is left as it is.
static bool has_bound_dev(const struct init_plan *init) {
    for (size_t i = 0; i < init->mount_count; i++) {
        const struct plan_mount *mount = &init->mounts[i];
        if ((mount->kind == PLAN_MOUNT_BIND || mount->kind == PLAN_MOUNT_TREE) && strcmp(mount->target, "/dev") == 0) {
            return true;
        }
    }
    return false;
}

static const struct plan_device *find(const struct init_plan *init, const char *path) {
    for (size_t i = 0; i < init->device_count; i++) {
        if (strcmp(init->devices[i].path, path) == 0) {
            return &init->devices[i];
        }
    }
    return NULL;
}

static void add_defaults(struct init_plan *init, bool bind) {
    for (size_t i = 0; i < ARRAY_LEN(default_devices); i++) {
        if (!find(init, default_devices[i].path)) {
            init->devices[init->device_count++] = (struct plan_device){
                .path = default_devices[i].path,
                .number = -1,
                .mode = S_IFCHR | 0666,
                .major = default_devices[i].major,
                .minor = default_devices[i].minor,
                .bind = bind,
                .tree_fd = -1,
            };
        }
    }
}

size_t container_plan_device_count(const struct oci_config *config) {
    return ARRAY_LEN(default_devices) + config->os.devices_count;
}

int container_plan_devices(const struct oci_config *config, struct container_plan *plan, struct err *err) {
    struct init_plan *init = &plan->init;
    init->make_devices = !has_bound_dev(init);
    if (!init->make_devices) {
        return 0;
    }
    bool other_user = (plan->namespaces & CLONE_NEWUSER) || plan->join_user;
    bool bind = other_user || !plan->privileged;
    init->devices = arena_array(&plan->arena, container_plan_device_count(config), sizeof(*init->devices));
    for (size_t i = 0; i < config->os.devices_count; i++) {
        const struct oci_device *from = &config->os.devices[i];
        if (strcmp(from->path, "/dev/ptmx") == 0) {
            continue; // the host's multiplexer would be useless: the container has its own, of its devpts
        }
        const struct plan_device *same = find(init, from->path);
        if (same && ((same->mode & S_IFMT) != from->type || same->major != (uint32_t)from->major || same->minor != (uint32_t)from->minor)) {
            return err_set(err, ERR_INPUT, "config.json: linux.devices[%zu].path: %s is listed already, as another device", i, from->path);
        }
        if (same) {
            continue; // tools that add to a configuration do not look what is there
        }
        init->devices[init->device_count++] = (struct plan_device){
            .path = from->path,
            .number = (int32_t)i,
            .mode = from->type | (from->file_mode.set ? from->file_mode.value & 07777 : 0666),
            .major = (uint32_t)from->major,
            .minor = (uint32_t)from->minor,
            .uid = from->uid.value,
            .gid = from->gid.value,
            .bind = bind && from->type != S_IFIFO,
            .tree_fd = -1,
        };
    }
    add_defaults(init, bind);
    for (size_t i = 0; plan->opens_trees && other_user && i < init->device_count; i++) {
        if (init->devices[i].bind) {
            plan->trees[plan->tree_count++] = (struct plan_tree){.is_device = true, .index = i, .source = init->devices[i].path};
        }
    }
    return 0;
}
