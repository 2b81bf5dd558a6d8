#include "runtime/container/init/filesystem.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init/plan.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/xattr.h>

enum { DATA_SIZE = 4096 }; // a page, which is all that mount(2) takes

// --- by mount(2) ---

static const struct {
    uint64_t attribute;
    unsigned long flag;
} mount_flags[] = {
    {MOUNT_ATTR_RDONLY, MS_RDONLY}, {MOUNT_ATTR_NOSUID, MS_NOSUID},         {MOUNT_ATTR_NODEV, MS_NODEV},
    {MOUNT_ATTR_NOEXEC, MS_NOEXEC}, {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME},
};

// False for attributes that mount(2) of older kernels passes over in silence (MOUNT_ATTR_NOSYMFOLLOW), or may not know.
static bool flags_of(uint64_t attributes, unsigned long *ret_flags) {
    uint64_t time = attributes & MOUNT_ATTR__ATIME;
    unsigned long flags = time == MOUNT_ATTR_NOATIME ? MS_NOATIME : time == MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : 0;
    attributes &= ~(uint64_t)MOUNT_ATTR__ATIME;
    for (size_t i = 0; i < ARRAY_LEN(mount_flags); i++) {
        if (attributes & mount_flags[i].attribute) {
            flags |= mount_flags[i].flag;
            attributes &= ~mount_flags[i].attribute;
        }
    }
    *ret_flags = flags;
    return attributes == 0;
}

static bool join_options(const struct plan_mount *mount, char data[DATA_SIZE]) {
    size_t used = 0;
    for (size_t i = 0; i < mount->option_count; i++) {
        size_t length = strlen(mount->options[i]);
        if (length + 2 > DATA_SIZE - used) {
            return false;
        }
        if (used > 0) {
            data[used++] = ',';
        }
        memcpy(data + used, mount->options[i], length);
        used += length;
    }
    data[used] = '\0';
    return true;
}

int filesystem_mount_on(const struct plan_mount *mount, int target_fd) {
    char data[DATA_SIZE];
    unsigned long flags;
    if (mount->copy_up || mount->label || mount->propagation || mount->tree_propagation || mount->tree_attr_set || mount->tree_attr_clear ||
        !flags_of(mount->attr_set, &flags) || !join_options(mount, data)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    // By the working directory, so that no path is looked up: neither the target's nor one through /proc.
    return fchdir(target_fd) < 0 ? -1 : sys_mount(mount->source, ".", mount->fstype, flags, *data ? data : NULL);
}

// --- by fsopen(2) ---

static int set_option(int fs, const char *option, struct err *err) {
    const char *equals = strchr(option, '=');
    if (!equals) {
        return sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0) < 0 ? err_sys(err, "option %s", option) : 0;
    }
    char key[64];
    size_t length = (size_t)(equals - option);
    if (length >= sizeof(key)) {
        return err_set(err, ERR_INPUT, "option %s: the name is too long", option);
    }
    memcpy(key, option, length);
    key[length] = '\0';
    // Quotes keep the commas of a label from mount(2); fsconfig(2) takes it bare.
    char bare[DATA_SIZE];
    const char *value = equals + 1;
    size_t size = strlen(value);
    if (size >= 2 && size < sizeof(bare) && value[0] == '"' && value[size - 1] == '"') {
        memcpy(bare, value + 1, size - 2);
        bare[size - 2] = '\0';
        value = bare;
    }
    if (sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0) {
        bool id = errno == EINVAL && (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0);
        return err_sys(err, "option %s%s", option, id ? " (is it mapped in the user namespace?)" : "");
    }
    return 0;
}

static int set_options(int fs, const struct plan_mount *mount, struct err *err) {
    for (size_t i = 0; i < mount->option_count; i++) {
        if (set_option(fs, mount->options[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

// What a refusal of these means, which EPERM does not say.
static int refused(const struct plan_mount *mount, struct err *err) {
    static const struct {
        const char *fstype;
        const char *why;
    } reasons[] = {
        {"mqueue", "in a user namespace it needs an ipc namespace of the container's own; bind the host's /dev/mqueue, or leave it out"},
        {"sysfs", "in a user namespace it needs a network namespace of the container's own; bind the host's /sys read-only"},
        {"cgroup", "in a user namespace it needs a cgroup namespace of the container's own"},
        {"cgroup2", "in a user namespace it needs a cgroup namespace of the container's own"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (strcmp(mount->fstype, reasons[i].fstype) == 0) {
            return err_num(err, EPERM, "create file system %s (%s)", mount->fstype, reasons[i].why);
        }
    }
    return err_num(err, EPERM, "create file system %s", mount->fstype);
}

// The kernel lets a user namespace make a procfs or sysfs only of a pid or network namespace of its own, and only where nothing is laid
// over parts of the one that it sees already (Linux 4.2): inside most containers something is. What the caller sees, with all that hides
// parts of it, shows the container nothing new; but a /proc with the processes of another pid namespace would be a lie.
static int bind_instead(const struct plan_mount *mount, struct err *err) {
    if (!mount->instead) {
        return strcmp(mount->fstype, "proc") == 0
                   ? err_set(err, ERR_UNSUPPORTED, "this user namespace may not make a procfs, as parts of the /proc around it are hidden; "
                             "run the container around it with nothing masked (podman: --security-opt unmask=ALL, docker: --security-opt "
                             "systempaths=unconfined), or leave out the new pid namespace")
                   : refused(mount, err);
    }
    AUTO_FD int tree = sys_open_tree(AT_FDCWD, mount->instead, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) {
        return err_sys(err, "open %s", mount->instead);
    }
    bool sysfs = strcmp(mount->fstype, "sysfs") == 0;
    struct mount_attr attr = {.attr_set = mount->attr_set | (sysfs ? MOUNT_ATTR_RDONLY : 0), .propagation = MS_PRIVATE};
    return sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0 ? err_sys(err, "set the attributes of %s", mount->instead)
                                                                               : fd_take(&tree);
}

static int set_label(const struct plan_mount *mount, int tree, struct err *err) {
    // By the working directory: a mount's own descriptor takes no attribute.
    if (fchdir(tree) < 0 || setxattr(".", "security.selinux", mount->label, strlen(mount->label) + 1, 0) < 0) {
        return err_sys(err, "linux.mountLabel: label the %s", mount->fstype);
    }
    return 0;
}

int filesystem_make(const struct plan_mount *mount, struct err *err) {
    AUTO_FD int fs = sys_fsopen(mount->fstype, FSOPEN_CLOEXEC);
    if (fs < 0) {
        if (errno == ENODEV) {
            return err_num(err, ENODEV, "file system type %s is unknown to this kernel", mount->fstype);
        }
        return errno == EPERM ? bind_instead(mount, err) : err_sys(err, "open file system %s", mount->fstype);
    }
    if (mount->source && *mount->source && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", mount->source, 0) < 0) {
        return err_sys(err, "source %s", mount->source);
    }
    if (set_options(fs, mount, err) < 0) {
        return -1;
    }
    // As mount(8) has it: the file system itself, too. One that is filled first is not.
    if ((mount->attr_set & MOUNT_ATTR_RDONLY) && !mount->copy_up && sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0) {
        return err_sys(err, "option ro");
    }
    if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return errno == EPERM ? bind_instead(mount, err) : err_sys(err, "create file system %s", mount->fstype);
    }
    int tree = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)mount->attr_set);
    if (tree < 0) {
        return errno == EPERM ? bind_instead(mount, err) : err_sys(err, "mount file system %s", mount->fstype);
    }
    if (mount->label && set_label(mount, tree, err) < 0) {
        close(tree);
        return -1;
    }
    return tree;
}

int filesystem_reconfigure(const struct plan_mount *mount, int target_fd, struct err *err) {
    AUTO_FD int fs = sys_fspick(target_fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
    if (fs < 0) {
        return err_sys(err, "pick the file system to remount");
    }
    if (set_options(fs, mount, err) < 0) {
        return -1;
    }
    return sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0 ? err_sys(err, "change the options of the file system") : 0;
}
