// Theory of operation. A container on a version 1 host expects what the host has on /sys/fs/cgroup: a tmpfs with a directory for
// each hierarchy, and links for those of several controllers. The tmpfs is new and nobody else's, so all is made by single names
// below the working directory: two calls a hierarchy.
//
// What the container sees as a hierarchy's root is its own group. With a cgroup namespace a new mount shows that, but the kernel
// looks at every group of the host for each (cgroup_lock_and_drain_offline(), Linux 6.18: a thousand containers cost the next one 4
// ms). So the host's own mount of that group is bound, which is the same to look at; where it cannot be found, the new mount
// serves. Without a cgroup namespace that would be the host's whole tree: there it is bound or left out, and only the host's root,
// unmapped, may write it (CVE-2023-25809).
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

enum { OWN_GROUPS_MAX_BYTES = 64 << 10 };

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

static int mount_hierarchy(const struct init *init, const struct plan_hierarchy *hierarchy) {
    char path[PATH_MAX];
    if (init->own_groups && own_group(init->own_groups, hierarchy, path) &&
        sys_mount(path, hierarchy->name, NULL, MS_BIND, NULL) == 0) {
        return 0;
    }
    return init->plan->bind_hierarchies ? -1 : sys_mount("cgroup", hierarchy->name, hierarchy->fstype, 0, hierarchy->data);
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
static int mount_all(const struct init *init, int tmpfs, struct err *err) {
    for (size_t i = 0; i < init->plan->hierarchy_count; i++) {
        const struct plan_hierarchy *hierarchy = &init->plan->hierarchies[i];
        if (mkdirat(tmpfs, hierarchy->name, 0755) < 0) {
            return err_sys(err, "make directory %s", hierarchy->name);
        }
        if (mount_hierarchy(init, hierarchy) < 0) {
            unlinkat(tmpfs, hierarchy->name, AT_REMOVEDIR);
        } else if (make_links(tmpfs, hierarchy->name, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int cgroups_find_own(struct init *init, struct err *err) {
    if (init->plan->hierarchy_count == 0) {
        return 0;
    }
    return fd_read_file_into(init->arena, "/proc/self/cgroup", 0, OWN_GROUPS_MAX_BYTES, &init->own_groups, err) < 0 ? -1 : 0;
}

int cgroups_mount_on(const struct init *init, const struct plan_mount *mount, int target_fd, struct err *err) {
    const struct init_plan *plan = init->plan;
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
    if (mount_all(init, tmpfs, err) < 0) {
        return -1;
    }
    bool readonly = plan->bind_hierarchies ? !plan->write_hierarchies : mount->seal;
    struct mount_attr all = {.attr_set =
                                 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (readonly ? MOUNT_ATTR_RDONLY : 0),
                             .propagation = MS_PRIVATE};
    if (sys_mount_setattr(tmpfs, "", AT_EMPTY_PATH | AT_RECURSIVE, &all) < 0) {
        return err_sys(err, "set the attributes of the hierarchies");
    }
    struct mount_attr top = {.attr_set = MOUNT_ATTR_RDONLY};
    if (!readonly && (plan->bind_hierarchies || mount->seal) && sys_mount_setattr(tmpfs, "", AT_EMPTY_PATH, &top) < 0) {
        return err_sys(err, "make the hierarchies' directory read-only");
    }
    return 0;
}
