#include "runtime/container/cgroup_manager.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_limits.h"

#include <string.h>

static const struct cgroup_manager *const managers[] = {&cgroup_manager_fs, &cgroup_manager_systemd, &cgroup_manager_disabled};

const struct cgroup_manager *cgroup_manager_named(const char *name, struct err *err) {
    for (size_t i = 0; name && i < ARRAY_LEN(managers); i++) {
        if (strcmp(name, managers[i]->name) == 0) {
            return managers[i];
        }
    }
    if (name) {
        err_set(err, ERR_INPUT, "cgroup manager \"%.64s\": expected cgroupfs, systemd or disabled", name);
        return NULL;
    }
    return &cgroup_manager_fs;
}

// --- disabled ---

static int plan_none(const struct cgroup_wish *wish, struct arena *arena, const char **ret_path, struct err *err) {
    (void)arena;
    if (cgroup_limits_asked(wish->limits)) {
        return err_set(err, ERR_UNSUPPORTED, "limits need a cgroup, and --cgroup-manager disabled makes none: leave out linux.resources "
                                             "or take --cgroup-manager cgroupfs");
    }
    if (wish->limits->device_count > 0) {
        log_warn("--cgroup-manager disabled: no device rule is enforced");
    }
    *ret_path = NULL;
    return 0;
}

static int make_none(const struct cgroup_host *host, const struct cgroup_wish *wish, struct cgroup *ret_cgroup, struct err *err) {
    (void)host;
    (void)wish;
    (void)err;
    *ret_cgroup = (struct cgroup){0};
    return 0;
}

static int apply_none(const char *path, struct cgroup *cgroup, const struct cgroup_limits *limits, struct err *err) {
    (void)path;
    (void)cgroup;
    (void)limits;
    return err_set(err, ERR_UNSUPPORTED, "the container has no cgroup (--cgroup-manager disabled), so it has no limits");
}

static int unmake_none(const char *path, struct cgroup *cgroup, int timeout_ms, struct err *err) {
    (void)path;
    (void)cgroup;
    (void)timeout_ms;
    (void)err;
    return 0;
}

static int find_none(const struct cgroup_host *host, const char *path, const char *id, struct cgroup *ret_cgroup, struct err *err) {
    (void)host;
    (void)path;
    (void)ret_cgroup;
    return err_set(err, ERR_NOT_FOUND, "container \"%s\" has no cgroup", id);
}

const struct cgroup_manager cgroup_manager_disabled = {
    .name = "disabled",
    .plan = plan_none,
    .make = make_none,
    .apply = apply_none,
    .update = apply_none,
    .unmake = unmake_none,
    .find = find_none,
};
