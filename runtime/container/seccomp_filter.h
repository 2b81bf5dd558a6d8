// seccomp_filter: the seccomp section of a configuration compiled to the program the kernel runs at every system call.
//
// Theory of operation. Two steps, each plain enough to be checked against libseccomp, which the unit test does over all calls and many
// arguments. seccomp_calls.c resolves names to the numbers that each architecture has for them (runtime/kernel/syscalls.h), and puts what
// the rules say of one number together: conditions in an order, and an action for what meets none. seccomp_emit.c makes the program: the
// numbers of an architecture are cut into ranges with the same answer, and a balanced tree finds the range, so that a call costs a dozen
// instructions of a few hundred (and nothing where the kernel's own bitmap of allowed calls knows it, Linux 5.11).
//
// libseccomp needs 0.6 to 14 ms for a profile of docker's, more than all the rest of a start. This needs less than a tenth of a
// millisecond, so there is no cache of programs on disk either, which would have to be trusted, cleaned and kept from growing.
//
// What a filter says where the specification leaves it open:
//   - A call by an entry that the filter does not cover (x32 where it is not listed, another architecture) kills the process: the numbers
//     mean other things there, so no rule could be right.
//   - Of rules without conditions for the same call the first counts, as in libseccomp; so no later one weakens it.
//   - Of rules with conditions that hold at once the strictest counts, as among several filters of the kernel's (seccomp(2)). One that is
//     stricter than the rule without counts beside it: in libseccomp it would have no effect, which nobody can mean who writes it.
//   - Rules whose action is the default's are passed over, as runc has it.
//   - Where the default is an error other than ENOSYS, calls newer than any the profile names get ENOSYS instead: C libraries then fall
//     back to an older call, where EPERM would be taken as the answer (runc does so, too).
#ifndef COFFER_CONTAINER_SECCOMP_FILTER_H
#define COFFER_CONTAINER_SECCOMP_FILTER_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct oci_seccomp;

// The program (struct sock_filter[]), *ret_size in bytes. It lives in the arena. No architectures in the section: the native one, and on
// x86-64 that of 32-bit programs too; the native one is always there, and those that this processor cannot run are left out. Names that
// no architecture knows are passed over, as the specification wants.
int seccomp_filter_make(const struct oci_seccomp *seccomp, struct arena *arena, const void **ret_program, size_t *ret_size,
                        struct err *err) MUST_CHECK;

// The same for any architectures: OCI_ARCH_X32 beside AUDIT_ARCH_X86_64.
int seccomp_filter_make_for(const struct oci_seccomp *seccomp, const uint32_t *architectures, size_t count, struct arena *arena,
                            const void **ret_program, size_t *ret_size, struct err *err) MUST_CHECK;

#endif
