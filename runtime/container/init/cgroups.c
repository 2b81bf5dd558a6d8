// Theory of operation. A container on a version 1 host expects what the host has on /sys/fs/cgroup: a tmpfs with a directory for each
// hierarchy, and links for those of several controllers. The tmpfs is new and nobody else's, so all is made by single names below the
// working directory: two calls a hierarchy.
//
// With a cgroup namespace each is a new mount, whose root is the container's own group. Without one that would be the host's whole
// tree: the container's own group is bound instead, and only the host's root, unmapped, may write it (CVE-2023-25809).
#include "runtime/container/init/cgroups.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/mem.h"
#include "runtime/container/init/filesystem.h"
#include "runtime/container/init/init.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CGROUP_FILE_MAX_BYTES = 1 << 20 };

static const char mount_point[] = "/sys/fs/cgroup";

// The line "4:cpu,cpuacct:/group" of /proc/self/cgroup that speaks of the hierarchy; the unified one's is "0::/group".
static bool is_line_of(const char *line, const struct plan_hierarchy *hierarchy, const char **ret_path, size_t *ret_length) {
    const char *names = strchr(line, ':');
    const char *path = names ? strchr(names + 1, ':') : NULL;
    if (!path) {
        return false;
    }
    names++;
    const char *wanted = hierarchy->data ? hierarchy->data : "";
    if (strncmp(wanted, "none,", 5) == 0) {
        wanted += 5;
    }
    // A controller is in one hierarchy only, so the first one tells it.
    size_t length = strcspn(wanted, ",");
    const char *at = names;
    while (at < path && !(strncmp(at, wanted, length) == 0 && (at[length] == ',' || at + length == path))) {
        at += strcspn(at, ",:") + 1;
    }
    if (length == 0 ? names != path : at >= path) {
        return false;
    }
    *ret_path = path + 1;
    *ret_length = strcspn(path + 1, "\n");
    return true;
}

// Where the host has the container's own group of the hierarchy. False where it is not to be seen.
static bool own_group(const char *groups, const struct plan_hierarchy *hierarchy, char path[PATH_MAX]) {
    const char *own = NULL;
    size_t length = 0;
    for (const char *line = groups; line && !own; line = strchr(line, '\n'), line += line != NULL) {
        is_line_of(line, hierarchy, &own, &length);
    }
    if (!own) {
        return false;
    }
    // In a container without a cgroup namespace the host's group is mounted as the hierarchy's root.
    size_t root = strcmp(hierarchy->root, "/") == 0 ? 0 : strlen(hierarchy->root);
    if (length < root || strncmp(own, hierarchy->root, root) != 0 || (root > 0 && length > root && own[root] != '/')) {
        return false;
    }
    int size = snprintf(path, PATH_MAX, "%s/%s%.*s", mount_point, hierarchy->name, (int)(length - root), own + root);
    return size < PATH_MAX && !strstr(path, "/../");
}

static int mount_hierarchy(const struct plan_hierarchy *hierarchy, bool readonly, const char *groups) {
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (readonly ? MS_RDONLY : 0);
    char path[PATH_MAX];
    if (!groups) {
        return sys_mount("cgroup", hierarchy->name, hierarchy->fstype, flags, hierarchy->data);
    }
    return own_group(groups, hierarchy, path) ? sys_mount(path, hierarchy->name, NULL, MS_BIND, NULL) : -1;
}

// "cpu,cpuacct" is found by each of its names.
static int make_links(int tmpfs, const char *name, struct err *err) {
    for (const char *part = name; strchr(name, ',') && *part;) {
        char link[NAME_MAX + 1];
        size_t length = strcspn(part, ",");
        if (length > 0 && length < sizeof(link)) {
            memcpy(link, part, length);
            link[length] = '\0';
            if (symlinkat(name, tmpfs, link) < 0 && errno != EEXIST) {
                return err_sys(err, "make link %s", link);
            }
        }
        part += length + (part[length] == ',');
    }
    return 0;
}

// One that the host does not let a namespace mount is left out: its directory is not there then.
static int mount_all(const struct init_plan *plan, int tmpfs, bool readonly, const char *groups, struct err *err) {
    for (size_t i = 0; i < plan->hierarchy_count; i++) {
        const struct plan_hierarchy *hierarchy = &plan->hierarchies[i];
        if (mkdirat(tmpfs, hierarchy->name, 0755) < 0) {
            return err_sys(err, "make directory %s", hierarchy->name);
        }
        if (mount_hierarchy(hierarchy, readonly, groups) < 0) {
            unlinkat(tmpfs, hierarchy->name, AT_REMOVEDIR);
        } else if (make_links(tmpfs, hierarchy->name, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int cgroups_mount_on(const struct init *init, const struct plan_mount *mount, int target_fd, struct err *err) {
    const struct init_plan *plan = init->plan;
    AUTO_FREE char *groups = NULL;
    size_t size;
    if (plan->bind_hierarchies && fd_read_file(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX_BYTES, &groups, &size, err) < 0) {
        return -1;
    }
    const char *options[] = {"mode=0755"};
    const struct plan_mount wanted = {
        .fstype = "tmpfs",
        .source = "tmpfs",
        .options = options,
        .option_count = ARRAY_LEN(options),
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    };
    AUTO_FD int tmpfs = filesystem_make(&wanted, err);
    if (tmpfs < 0) {
        return -1;
    }
    if (sys_move_mount(tmpfs, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 || fchdir(tmpfs) < 0) {
        return err_sys(err, "attach a tmpfs for the hierarchies");
    }
    if (mount_all(plan, tmpfs, mount->seal, groups, err) < 0) {
        return -1;
    }
    if (groups) {
        struct mount_attr all = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                                             (plan->write_hierarchies ? 0 : MOUNT_ATTR_RDONLY),
                                 .propagation = MS_PRIVATE};
        if (sys_mount_setattr(tmpfs, "", AT_EMPTY_PATH | AT_RECURSIVE, &all) < 0) {
            return err_sys(err, "set the attributes of the hierarchies");
        }
    }
    struct mount_attr top = {.attr_set = MOUNT_ATTR_RDONLY};
    if ((groups || mount->seal) && sys_mount_setattr(tmpfs, "", AT_EMPTY_PATH, &top) < 0) {
        return err_sys(err, "make the hierarchies' directory read-only");
    }
    return 0;
}
