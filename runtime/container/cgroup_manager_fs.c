// The manager that makes directories below /sys/fs/cgroup itself.
#include "runtime/container/cgroup_manager.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_limits.h"

#include <string.h>

static int plan(const struct cgroup_wish *wish, struct arena *arena, const char **ret_path, struct err *err) {
    const char *path = wish->path;
    const char *colon = path && *path != '/' ? strchr(path, ':') : NULL;
    if (colon && strchr(colon + 1, ':')) {
        return err_set(err, ERR_INPUT, "config.json: linux.cgroupsPath: \"%s\" is of systemd's form, slice:prefix:name; give a path, or "
                       "let systemd make the cgroup by --systemd-cgroup", path);
    }
    if (path && *path) {
        // The same value means the same place, wherever the caller is. An ordinary user has no place but beside himself.
        *ret_path = *path != '/' && wish->privileged ? arena_format(arena, "/%s", path) : path;
        return cgroup_check_path(path, err) < 0 ? err_in(err, "config.json: linux.cgroupsPath") : 0;
    }
    *ret_path = arena_format(arena, "%s%s%scoffer-%s", wish->privileged ? "/" : "", wish->folder ? wish->folder : "",
                             wish->folder ? "/" : "", wish->id);
    return 0;
}

static int make(const struct cgroup_host *host, const struct cgroup_wish *wish, struct cgroup *ret_cgroup, struct err *err) {
    enum { WITH_FOLDER = 2 };
    if (cgroup_create(host, wish->path, wish->controllers, ret_cgroup, err) < 0) {
        return -1;
    }
    for (size_t i = 0; wish->folder && i < ret_cgroup->count; i++) {
        struct cgroup_dir *dir = &ret_cgroup->dirs[i];
        dir->made = dir->made == 1 ? WITH_FOLDER : dir->made; // the last one in it takes it along
    }
    return 0;
}

static int apply(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    (void)path;
    return cgroup_apply(cgroup, limits, err);
}

static int update(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    (void)path;
    return cgroup_update(cgroup, limits, err);
}

static int unmake(const char *path, struct cgroup *cgroup, int timeout_ms, struct err *err) {
    (void)path;
    return cgroup_remove(cgroup, timeout_ms, err);
}

// Only when the last name carries the container's id: a group that the configuration named may have been there before, with others'
// processes.
static int find(const struct cgroup_host *host, const char *path, const char *id, struct cgroup *ret_cgroup, struct err *err) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!strstr(name, id)) {
        return err_set(err, ERR_NOT_FOUND, "cgroup %s may be another's", path);
    }
    if (cgroup_open(host, path, CGROUP_ALL, ret_cgroup, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ret_cgroup->count; i++) {
        ret_cgroup->dirs[i].made = 1;
    }
    return 0;
}

const struct cgroup_manager cgroup_manager_fs = {
    .name = "cgroupfs",
    .plan = plan,
    .make = make,
    .apply = apply,
    .update = update,
    .unmake = unmake,
    .find = find,
};
