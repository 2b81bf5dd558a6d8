#include "runtime/engine/monitor_group.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/kernel/cgroup.h"

#include <errno.h>

static const char *group_path(bool rootless) {
    return rootless ? "coffer-monitors" : "/coffer-monitors";
}

void monitor_group_enter(bool rootless) {
    enum { ATTEMPTS = 8 };
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    struct err err = {0};
    if (cgroup_detect(&host, &err) < 0 || host.version == CGROUP_NONE) {
        return;
    }
    uint32_t hierarchies = cgroup_own_hierarchies() | CGROUP_MASK(CGROUP_SYSTEMD) | CGROUP_MASK(CGROUP_UNIFIED);
    // The last one to leave may remove it between our two calls.
    for (int i = 0; i < ATTEMPTS; i++) {
        AUTO_CGROUP struct cgroup cgroup = {0};
        err = (struct err){0};
        if (cgroup_create(&host, group_path(rootless), host.version == CGROUP_V1 ? hierarchies : 0, &cgroup, &err) == 0 &&
            cgroup_enter(&cgroup, &err) == 0) {
            return;
        }
        if (err.errnum != ENOENT && err.errnum != ENODEV) {
            break;
        }
    }
    log_debug("the monitor stays in the control group of its starter: %s", err.text);
}

void monitor_group_follow(bool rootless) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct err err;
    // On version 2 a process is in one group alone, the container's.
    if (cgroup_detect(&host, &err) == 0 && host.version == CGROUP_V1 &&
        cgroup_open(&host, group_path(rootless), CGROUP_ALL, &cgroup, &err) == 0 && cgroup_enter(&cgroup, &err) < 0) {
        log_debug("the command stays in the control group of its caller: %s", err.text);
    }
}

void monitor_group_leave(bool rootless) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct err gone;
    if (cgroup_detect(&host, &gone) == 0 && host.version != CGROUP_NONE &&
        cgroup_open(&host, group_path(rootless), CGROUP_ALL, &cgroup, &gone) == 0) {
        cgroup_leave(&cgroup);
    }
}
