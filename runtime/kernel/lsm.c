#include "runtime/kernel/lsm.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/sys.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

enum { LABEL_MAX_BYTES = 4095 }; // a page with "exec " and the end; the kernel takes no more in one write

static const struct {
    const char *name;
    const char *prefix;   // in front of the label
    const char *files[2]; // below /proc/thread-self: the module's own (Linux 5.1), then the one that all modules share
} modules[] = {
    [LSM_NONE] = {"none", "", {NULL, NULL}},
    [LSM_APPARMOR] = {"apparmor", "exec ", {"attr/apparmor/exec", "attr/exec"}},
    [LSM_SELINUX] = {"selinux", "", {"attr/exec", NULL}},
};

const char *lsm_name(enum lsm lsm) {
    return modules[lsm].name;
}

static bool apparmor_is_on(void) {
    char answer = 'N';
    AUTO_FD int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &answer, 1) == 1 && answer == 'Y';
}

static bool selinux_is_on(void) {
    struct statfs status;
    return statfs("/sys/fs/selinux", &status) == 0 && (unsigned long)status.f_type == SELINUX_MAGIC;
}

bool lsm_is_on(enum lsm lsm) {
    return lsm == LSM_APPARMOR ? apparmor_is_on() : lsm == LSM_SELINUX ? selinux_is_on() : false;
}

enum lsm lsm_detect(void) {
    return apparmor_is_on() ? LSM_APPARMOR : selinux_is_on() ? LSM_SELINUX : LSM_NONE;
}

static bool is_procfs(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

// The calling thread's own directory. thread-self is a link "PID/task/TID" that procfs makes; it is read, not followed.
static int open_own(int proc_fd, struct err *err) {
    char path[64];
    if (!is_procfs(proc_fd)) {
        return err_set(err, ERR_STATE, "the directory given for /proc is not a procfs");
    }
    ssize_t size = readlinkat(proc_fd, "thread-self", path, sizeof(path) - 1);
    if (size < 0) {
        return err_sys(err, "read /proc/thread-self");
    }
    path[size] = '\0';
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    int fd = sys_openat2(proc_fd, path, &how);
    return fd < 0 ? err_sys(err, "open /proc/%s", path) : fd;
}

// The first of the module's files that is there.
static int open_file(enum lsm lsm, int own_fd, struct err *err) {
    const struct open_how how = {
        .flags = O_WRONLY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    int fd = sys_openat2(own_fd, modules[lsm].files[0], &how);
    if (fd < 0 && errno == ENOENT && modules[lsm].files[1]) {
        fd = sys_openat2(own_fd, modules[lsm].files[1], &how);
    }
    return fd < 0 ? err_sys(err, "open /proc/thread-self/%s", modules[lsm].files[0]) : fd;
}

int lsm_set_exec_label(enum lsm lsm, int proc_fd, const char *label, struct err *err) {
    char text[LABEL_MAX_BYTES + 1];
    int size = snprintf(text, sizeof(text), "%s%s", modules[lsm].prefix, label);
    if (!*label || size < 0 || (size_t)size >= sizeof(text) || strchr(label, '\n')) {
        return err_set(err, ERR_INPUT, "\"%.64s\" cannot be a label of %s", label, modules[lsm].name);
    }
    if (!lsm_is_on(lsm)) {
        return err_set(err, ERR_UNSUPPORTED, "label \"%s\" was asked for, but %s is not on in this kernel", label,
                       modules[lsm].name);
    }
    AUTO_FD int own_fd = open_own(proc_fd, err);
    AUTO_FD int fd = own_fd < 0 ? -1 : open_file(lsm, own_fd, err);
    if (fd < 0) {
        return -1;
    }
    if (!is_procfs(fd)) {
        return err_set(err, ERR_STATE, "/proc/thread-self/%s is not on a procfs", modules[lsm].files[0]);
    }
    if (write(fd, text, (size_t)size) != size) {
        return err_sys(err, "set the %s label \"%s\"%s", modules[lsm].name, label,
                       errno == ENOENT ? " (is the profile loaded?)" : "");
    }
    return 0;
}
