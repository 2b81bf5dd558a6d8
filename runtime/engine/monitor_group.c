#include "runtime/engine/monitor_group.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const char *group_path(bool rootless) {
    return rootless ? "coffer-monitors" : "/coffer-monitors";
}

// A scope of the user's own systemd: what lies beside it was delegated to him. It is gone as soon as we are, or have moved on.
static int ask_for_scope(const char *bus_address, struct err *err) {
    char unit[SYSTEMD_UNIT_MAX];
    uint32_t pid = (uint32_t)getpid();
    AUTO_DBUS struct dbus bus = {.fd = -1};
    const struct systemd_property properties[] = {
        {.name = "Description", .type = "s", .text = "coffer, on the way to its containers"},
        {.name = "CollectMode", .type = "s", .text = "inactive-or-failed"},
        {.name = "Delegate", .type = "b", .number = true},
        {.name = "PIDs", .type = "au", .items = &pid, .count = 1},
    };
    snprintf(unit, sizeof(unit), "coffer-%u.scope", (unsigned)pid);
    return systemd_connect(bus_address, &bus, err) < 0 ? -1 : systemd_start(&bus, unit, properties, ARRAY_LEN(properties), err);
}

// An ordinary user's process goes to where he may make groups for limits, and move processes into them.
static void leave_session(const struct home *home, const struct cgroup_host *host) {
    struct err err;
    bool may;
    if (!home->rootless || !home->user_bus || host->version != CGROUP_V2) {
        return;
    }
    cgroup_beside(host, &may);
    if (!may && ask_for_scope(home->user_bus, &err) < 0) {
        log_debug("no scope for limits: %s", err.text);
    }
}

void monitor_group_enter(const struct home *home, bool limited) {
    enum { ATTEMPTS = 8 };
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    struct err err = {0};
    if (cgroup_detect(&host, &err) < 0 || host.version == CGROUP_NONE) {
        return;
    }
    if (limited) {
        leave_session(home, &host);
    }
    uint32_t hierarchies = cgroup_own_hierarchies() | CGROUP_MASK(CGROUP_SYSTEMD) | CGROUP_MASK(CGROUP_UNIFIED);
    // The last one to leave may remove it between our two calls.
    for (int i = 0; i < ATTEMPTS; i++) {
        AUTO_CGROUP struct cgroup cgroup = {0};
        err = (struct err){0};
        if (cgroup_create(&host, group_path(home->rootless), host.version == CGROUP_V1 ? hierarchies : 0, &cgroup, &err) == 0 &&
            cgroup_enter(&cgroup, &err) == 0) {
            return;
        }
        if (err.errnum != ENOENT && err.errnum != ENODEV) {
            break;
        }
    }
    log_debug("the monitor stays in the control group of its starter: %s", err.text);
}

void monitor_group_follow(const struct home *home, bool limited) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct err err;
    if (cgroup_detect(&host, &err) < 0) {
        return;
    }
    if (limited) {
        leave_session(home, &host);
    }
    // On version 2 a process is in one group alone, the container's.
    if (host.version == CGROUP_V1 && cgroup_open(&host, group_path(home->rootless), CGROUP_ALL, &cgroup, &err) == 0 &&
        cgroup_enter(&cgroup, &err) < 0) {
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
