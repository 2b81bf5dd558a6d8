#include "runtime/kernel/cgroup.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/cgroup_file.h"
#include "runtime/kernel/mountinfo.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

static const char mount_point[] = "/sys/fs/cgroup";
enum { MOUNTINFO_MAX_BYTES = 64 << 20 };

// clang-format off
static const struct {
    const char *v2;
    const char *v1; // where it differs
} names[] = {
    [CGROUP_CPU]        = {"cpu", NULL},
    [CGROUP_CPUACCT]    = {"cpuacct", NULL},
    [CGROUP_CPUSET]     = {"cpuset", NULL},
    [CGROUP_MEMORY]     = {"memory", NULL},
    [CGROUP_PIDS]       = {"pids", NULL},
    [CGROUP_IO]         = {"io", "blkio"},
    [CGROUP_DEVICES]    = {"devices", NULL},
    [CGROUP_FREEZER]    = {"freezer", NULL},
    [CGROUP_HUGETLB]    = {"hugetlb", NULL},
    [CGROUP_RDMA]       = {"rdma", NULL},
    [CGROUP_MISC]       = {"misc", NULL},
    [CGROUP_NET_CLS]    = {"net_cls", NULL},
    [CGROUP_NET_PRIO]   = {"net_prio", NULL},
    [CGROUP_PERF_EVENT] = {"perf_event", NULL},
    [CGROUP_SYSTEMD]    = {"name=systemd", NULL},
    [CGROUP_UNIFIED]    = {"unified", NULL},
};
// clang-format on
static_assert(ARRAY_LEN(names) == CGROUP_CONTROLLER_COUNT, "a controller has no name");

const char *cgroup_controller_name(enum cgroup_controller controller) {
    return names[controller].v2;
}

uint32_t cgroup_controller_mask(const char *name) {
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i].v2) == 0 || (names[i].v1 && strcmp(name, names[i].v1) == 0)) {
            return CGROUP_MASK(i);
        }
    }
    return 0;
}

// The controllers among "rw,xattr,name=systemd"; what else stands there is no controller's name.
static uint32_t controllers_of_options(char *options) {
    uint32_t mask = 0;
    char *state = NULL;
    for (char *option = strtok_r(options, ",", &state); option; option = strtok_r(NULL, ",", &state)) {
        mask |= cgroup_controller_mask(option);
    }
    return mask & ~CGROUP_MASK(CGROUP_UNIFIED);
}

static void add_hierarchy(struct cgroup_host *host, uint32_t controllers, char *name, char *root) {
    uint32_t known = 0;
    for (size_t i = 0; i < host->count; i++) {
        known |= host->hierarchies[i].controllers;
    }
    // The same hierarchy may be mounted twice; the first stays. A named one that is not systemd's is nobody's business here.
    if (controllers == 0 || (known & controllers) != 0 || host->count == CGROUP_MAX_HIERARCHIES) {
        return;
    }
    mountinfo_unescape(name);
    mountinfo_unescape(root);
    host->hierarchies[host->count++] = (struct cgroup_hierarchy){
        .controllers = controllers,
        .name = name,
        .root = root,
    };
}

// A line: ID PARENT MAJOR:MINOR ROOT MOUNT_POINT OPTIONS [TAG...] - TYPE SOURCE SUPER_OPTIONS
static void take_mount(struct cgroup_host *host, char *line) {
    char *tail = strstr(line, " - cgroup");
    if (!tail) {
        return;
    }
    *tail = '\0';
    char *state = NULL;
    char *type = strtok_r(tail + strlen(" - "), " ", &state);
    const char *source = strtok_r(NULL, " ", &state);
    char *options = strtok_r(NULL, " ", &state);
    char *fields[5];
    state = NULL;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &state);
        if (!fields[i]) {
            return;
        }
    }
    size_t prefix = strlen(mount_point);
    if (!source || !options || strncmp(fields[4], mount_point, prefix) != 0 || fields[4][prefix] != '/') {
        return;
    }
    bool unified = strcmp(type, "cgroup2") == 0;
    add_hierarchy(host, unified ? CGROUP_MASK(CGROUP_UNIFIED) : controllers_of_options(options), fields[4] + prefix + 1, fields[3]);
}

static int detect_v1(struct cgroup_host *host, struct err *err) {
    size_t size;
    if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &host->mounts, &size, err) < 0) {
        return err_in(err, "find the cgroup mounts");
    }
    char *state = NULL;
    for (char *line = strtok_r(host->mounts, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        take_mount(host, line);
    }
    host->version = host->count > 0 ? CGROUP_V1 : CGROUP_NONE;
    return 0;
}

int cgroup_detect(struct cgroup_host *ret_host, struct err *err) {
    AUTO_CGROUP_HOST struct cgroup_host host = {.fd = -1};
    AUTO_FD int fd = openat(AT_FDCWD, mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs status;
    if (fd < 0 && errno != ENOENT && errno != EACCES) {
        return err_sys(err, "open %s", mount_point);
    }
    if (fd >= 0 && fstatfs(fd, &status) < 0) {
        return err_sys(err, "look at %s", mount_point);
    }
    if (fd >= 0 && status.f_type == CGROUP2_SUPER_MAGIC) {
        host.version = CGROUP_V2;
        host.count = 1;
        host.hierarchies[0] = (struct cgroup_hierarchy){
            .controllers = CGROUP_MASK(CGROUP_UNIFIED),
            .name = "",
            .root = "/",
        };
    } else if (fd >= 0 && detect_v1(&host, err) < 0) {
        return -1;
    }
    if (host.version != CGROUP_NONE) {
        host.fd = fd_take(&fd);
    }
    *ret_host = host;
    host = (struct cgroup_host){.fd = -1};
    return 0;
}

void cgroup_host_finish(struct cgroup_host *host) {
    // A zeroed host has no descriptor, though its fd reads 0.
    if (host->version != CGROUP_NONE) {
        fd_close(&host->fd);
    }
    free(host->mounts);
    *host = (struct cgroup_host){.fd = -1};
}

uint32_t cgroup_host_controllers(const struct cgroup_host *host) {
    uint32_t mask = 0;
    for (size_t i = 0; i < host->count; i++) {
        mask |= host->hierarchies[i].controllers;
        if (host->hierarchies[i].controllers != CGROUP_MASK(CGROUP_UNIFIED)) {
            continue;
        }
        AUTO_FD int fd = cgroup_open_below(host->fd, host->hierarchies[i].name, O_PATH | O_DIRECTORY);
        char text[CGROUP_TEXT_SIZE];
        if (fd < 0 || cgroup_read_text(fd, "cgroup.controllers", text) < 0) {
            continue;
        }
        char *state = NULL;
        for (char *name = strtok_r(text, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
            mask |= cgroup_controller_mask(name);
        }
    }
    return mask;
}
