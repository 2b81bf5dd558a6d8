#include "runtime/kernel/lsm.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/kernel/procfs.h"
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
    const char *files[2]; // of the process: the module's own (Linux 5.8), then the one that all modules share
} modules[] = {
    [LSM_NONE] = {"none", "", {NULL, NULL}},
    [LSM_APPARMOR] = {"AppArmor", "exec ", {"attr/apparmor/exec", "attr/exec"}},
    [LSM_SELINUX] = {"SELinux", "", {"attr/exec", NULL}},
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

// The kernel takes a line end for the label's own.
bool lsm_is_label(enum lsm lsm, const char *label) {
    return *label && strlen(label) + strlen(modules[lsm].prefix) <= LABEL_MAX_BYTES && !strchr(label, '\n');
}

int lsm_open_exec_label(enum lsm lsm, int proc_fd, struct err *err) {
    int fd = procfs_try_open_own(proc_fd, modules[lsm].files[0], O_WRONLY);
    if (fd < 0 && errno == ENOENT && modules[lsm].files[1]) {
        fd = procfs_try_open_own(proc_fd, modules[lsm].files[1], O_WRONLY);
    }
    if (fd < 0 && errno == EXDEV) {
        return err_set(err, ERR_UNSUPPORTED, "open %s of the process: the /proc around this container hides it", modules[lsm].files[0]);
    }
    return fd < 0 ? err_sys(err, "open %s of the process", modules[lsm].files[0]) : fd;
}

int lsm_set_exec_label(enum lsm lsm, int label_fd, const char *label, struct err *err) {
    char text[LABEL_MAX_BYTES + 1];
    int size = lsm_is_label(lsm, label) ? snprintf(text, sizeof(text), "%s%s", modules[lsm].prefix, label) : -1;
    if (size < 0) {
        return err_set(err, ERR_INPUT, "\"%.64s\" cannot be a label of %s", label, modules[lsm].name);
    }
    if (write(label_fd, text, (size_t)size) == size) {
        return 0;
    }
    const char *why = errno == ENOENT   ? " (is the profile loaded?)"
                      : errno == EINVAL ? " (does the policy know it?)"
                      : errno == EACCES ? " (what confines the runtime itself does not allow it)"
                                        : "";
    return err_sys(err, "set the %s label \"%s\"%s", modules[lsm].name, label, why);
}

int lsm_set_key_label(int proc_fd, const char *label, struct err *err) {
    AUTO_FD int fd = procfs_try_open_own(proc_fd, "attr/keycreate", O_WRONLY);
    if (fd < 0 || write(fd, label, strlen(label)) < 0) {
        return err_sys(err, "set the SELinux label \"%s\" for the session keyring", label);
    }
    return 0;
}
