// The seccomp section of a container's configuration as plain values: what config.json says, and what a profile resolves to.
// All of it lives in the arena of whoever made it. The filter program itself is made elsewhere, from this struct alone.
//
// Numbers are the kernel's: actions are SECCOMP_RET_* (linux/seccomp.h), architectures AUDIT_ARCH_* (linux/audit.h), flags
// SECCOMP_FILTER_FLAG_*. x32, which has no audit architecture of its own, is OCI_ARCH_X32, as libseccomp has it.
#ifndef COFFER_SPECS_OCI_SECCOMP_H
#define COFFER_SPECS_OCI_SECCOMP_H

#include "specs/values.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#define OCI_ARCH_X32 (EM_X86_64 | __AUDIT_ARCH_LE)

enum oci_seccomp_op {
    OCI_SECCOMP_NE,
    OCI_SECCOMP_LT,
    OCI_SECCOMP_LE,
    OCI_SECCOMP_EQ,
    OCI_SECCOMP_GE,
    OCI_SECCOMP_GT,
    OCI_SECCOMP_MASKED_EQ, // (argument & value) == value_two
};

struct oci_seccomp_arg {
    uint32_t index; // 0 to 5
    uint32_t op;    // enum oci_seccomp_op; comparisons are of unsigned 64-bit numbers
    uint64_t value;
    uint64_t value_two;
};

// A rule: each of the names, when all args compare true, gets the action. Names the kernel of this host does not know are no error.
struct oci_seccomp_rule {
    const char **names; // at least one
    size_t names_count;
    uint32_t action;
    struct opt_u32 errno_ret; // of SECCOMP_RET_ERRNO (unset: EPERM) and SECCOMP_RET_TRACE
    struct oci_seccomp_arg *args;
    size_t args_count;
};

struct oci_seccomp {
    uint32_t default_action;
    struct opt_u32 default_errno_ret;
    uint32_t *architectures; // empty: the native one
    size_t architectures_count;
    uint32_t flags;
    const char *listener_path; // of the unix socket of SECCOMP_RET_USER_NOTIF; NULL when absent
    const char *listener_metadata;
    struct oci_seccomp_rule *syscalls;
    size_t syscalls_count;
};

#endif
