#include "runtime/engine/monitor_group.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/engine/home.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/process.h"
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

// Where an ordinary user's process can make no groups for limits here, it goes to where it can, and move processes into them.
static bool must_leave_session(const struct home *home, const struct cgroup_host *host) {
    bool may = true;
    if (home->rootless && home->user_bus && host->version == CGROUP_V2) {
        cgroup_beside(host, &may);
    }
    return !may;
}

static void leave_session(const struct home *home, const struct cgroup_host *host) {
    struct err err;
    if (must_leave_session(home, host) && ask_for_scope(home->user_bus, &err) < 0) {
        log_debug("no scope for limits: %s", err.text);
    }
}

static int open_group(const struct home *home, const struct cgroup_host *host, struct cgroup *ret, struct err *err) {
    uint32_t hierarchies = cgroup_own_hierarchies() | CGROUP_MASK(CGROUP_SYSTEMD) | CGROUP_MASK(CGROUP_UNIFIED);
    return cgroup_create(host, group_path(home->rootless), host->version == CGROUP_V1 ? hierarchies : 0, ret, err);
}

// The process that is to be the monitor moves there by itself, if it can.
static void enter_group(const struct home *home, const struct cgroup_host *host, const struct cgroup *born) {
    enum { ATTEMPTS = 8 };
    struct err err = {0};
    if (born && cgroup_enter(born, true, &err) == 0) {
        return;
    }
    // The last one to leave may remove it between our two calls.
    for (int i = 0; i < ATTEMPTS; i++) {
        AUTO_CGROUP struct cgroup cgroup = {0};
        err = (struct err){0};
        if (open_group(home, host, &cgroup, &err) == 0 && cgroup_enter(&cgroup, false, &err) == 0) {
            return;
        }
        if (err.errnum != ENOENT && err.errnum != ENODEV) {
            break;
        }
    }
    log_debug("the monitor stays in the control group of its starter: %s", err.text);
}

pid_t monitor_group_clone(const struct home *home, bool limited, int *ret_pidfd) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_CGROUP struct cgroup cgroup = {0};
    struct err err;
    if (cgroup_detect(&host, &err) < 0 || host.version == CGROUP_NONE) {
        return process_clone(0, -1, ret_pidfd);
    }
    bool moves = limited && must_leave_session(home, &host);
    int birth_fd = -1;
    if (!moves && open_group(home, &host, &cgroup, &err) == 0) {
        cgroup_probe_birth(&cgroup);
        birth_fd = cgroup_birth_fd(&cgroup);
    }
    pid_t pid = birth_fd >= 0 ? process_clone(0, birth_fd, ret_pidfd) : -1;
    bool born = pid >= 0;
    if (!born) {
        pid = process_clone(0, -1, ret_pidfd);
    }
    if (pid == 0) {
        if (moves) {
            leave_session(home, &host);
        }
        enter_group(home, &host, born ? &cgroup : NULL);
    }
    return pid;
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
    // On version 2 a process is in one group alone, the container's: where that is mounted beside version 1, too.
    if (host.version == CGROUP_V1 &&
        cgroup_open(&host, group_path(home->rootless), CGROUP_ALL & ~CGROUP_MASK(CGROUP_UNIFIED), &cgroup, &err) == 0 &&
        cgroup_enter(&cgroup, false, &err) < 0) {
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
