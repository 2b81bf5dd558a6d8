// Seccomp profiles in docker's format, which podman shares, and the built-in one: rules that depend on what the container may do,
// on the architecture and on the kernel, resolved here into the plain struct oci_seccomp that config.json could hold.
#ifndef COFFER_SPECS_SECCOMP_PROFILE_H
#define COFFER_SPECS_SECCOMP_PROFILE_H

#include "runtime/base/attr.h"
#include "specs/oci_seccomp.h"

struct arena;
struct err;
struct json_document;

// What a profile is resolved for.
struct seccomp_target {
    uint64_t capabilities; // of the container's bounding set; bit n is capability n
    uint32_t architecture; // AUDIT_ARCH_*; 0: the one of this program
    unsigned kernel_major;
    unsigned kernel_minor;
};

// Decodes a profile; *ret lives in the arena. Errors name the document, the field and what was expected.
int seccomp_profile_decode(const struct json_document *document, const struct seccomp_target *target, struct arena *arena,
                           struct oci_seccomp **ret, struct err *err) MUST_CHECK;

// The built-in profile (specs/profiles/seccomp_default.c). Cannot fail.
struct oci_seccomp *seccomp_profile_default(const struct seccomp_target *target, struct arena *arena);

// Whether programs of the other architecture run on this one, too.
bool seccomp_runs_beside(uint32_t architecture, uint32_t other);

// AUDIT_ARCH_* of this program.
uint32_t seccomp_native_architecture(void);

#endif
