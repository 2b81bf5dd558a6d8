// The default seccomp profile, as data: which system calls a container may make that nobody said anything else about.
#ifndef COFFER_SPECS_PROFILES_SECCOMP_DEFAULT_H
#define COFFER_SPECS_PROFILES_SECCOMP_DEFAULT_H

#include "specs/oci_seccomp.h"

// System calls that belong together. Names that an architecture, kernel or libseccomp does not know are left out by the reader.
struct seccomp_group {
    const char *names;             // with spaces between
    uint64_t capabilities;         // holding one of these allows the group; 0: always allowed
    const uint32_t *architectures; // AUDIT_ARCH_*, 0 at the end; NULL: all. Elsewhere the names do not exist
};

// A call that is decided by an argument, or by more than one capability group can say. Rules of one call never contradict each
// other, so their order does not matter.
struct seccomp_special {
    const char *name;
    uint32_t action;
    uint32_t errno_ret; // of SECCOMP_RET_ERRNO
    uint64_t when;      // applies when one of these capabilities is held; 0: whatever is held
    uint64_t unless;    // does not apply when one of these is held
    bool has_arg;
    struct oci_seccomp_arg arg;
};

extern const struct seccomp_group seccomp_allowed[];    // end with NULL names
extern const char seccomp_denied[];                     // with spaces between: EPERM, always
extern const struct seccomp_special seccomp_specials[]; // end with a NULL name

#endif
