// Linux security modules that give a program a label when it is executed: AppArmor's profiles and SELinux's contexts.
//
// The label is written to a file of the calling process's own /proc directory. A /proc that a container or its mounts could have
// prepared swallows the write, or turns it elsewhere, and leaves the program unconfined (CVE-2019-16884, CVE-2023-28642, CVE-2025-52881).
// So the file is opened through a handle of runtime/kernel/procfs.h, and before anything of the container's own has run; what is opened
// then takes the label later, from the same process and no other: not from a fork of it, which has the label with the fork.
#ifndef COFFER_KERNEL_LSM_H
#define COFFER_KERNEL_LSM_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

enum lsm {
    LSM_NONE,
    LSM_APPARMOR,
    LSM_SELINUX,
};

// "AppArmor", "SELinux".
const char *lsm_name(enum lsm lsm);

// Whether the module is loaded and on: /sys/module/apparmor/parameters/enabled says Y; selinuxfs is mounted.
bool lsm_is_on(enum lsm lsm);

// Whether the text can be a label at all. Whether there is such a one the kernel says when it is set.
bool lsm_is_label(enum lsm lsm, const char *label);

// Opens the file that lsm_set_exec_label() writes to.
int lsm_open_exec_label(enum lsm lsm, int proc_fd, struct err *err) MUST_CHECK;

// The next execve(2) of this process, or of one that it forks, gives it this label: an AppArmor profile ("docker-default",
// "unconfined") or an SELinux context. A profile that is not loaded is an error: a label that was asked for is never left out in silence.
int lsm_set_exec_label(enum lsm lsm, int label_fd, const char *label, struct err *err) MUST_CHECK;

// SELinux: keys and keyrings made from now on get this label, up to the next execve(2).
int lsm_set_key_label(int proc_fd, const char *label, struct err *err) MUST_CHECK;

#endif
