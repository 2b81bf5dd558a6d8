// Linux security modules that give a program a label when it is executed: AppArmor's profiles and SELinux's contexts.
//
// The label is written to a file of the calling thread's own /proc directory. A /proc that a container or its mounts could have
// prepared swallows the write and leaves the program unconfined (CVE-2019-16884, CVE-2025-52881), so the caller gives the
// descriptor of a procfs mount it made or trusts; the file is opened below it without following any link but "thread-self", whose
// target is checked to be on procfs.
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

// "apparmor", "selinux".
const char *lsm_name(enum lsm lsm);

// Whether the module is loaded and on: /sys/module/apparmor/parameters/enabled says Y; selinuxfs is mounted.
bool lsm_is_on(enum lsm lsm);

// The module that labels on this host, LSM_NONE when neither is on.
enum lsm lsm_detect(void);

// The calling thread's next execve(2) gives it this label: an AppArmor profile ("docker-default", "unconfined") or an SELinux
// context. A module that is not there, or a profile that is not loaded, is an error: a label that was asked for is never left out
// in silence. proc_fd: a directory descriptor of a procfs mount.
int lsm_set_exec_label(enum lsm lsm, int proc_fd, const char *label, struct err *err) MUST_CHECK;

#endif
