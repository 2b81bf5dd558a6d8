// seccomp_filter: the seccomp section of a configuration compiled to the program the kernel runs at every system call.
//
// Theory of operation. libseccomp makes the program: one part for each architecture, in each a binary tree over the numbers of
// system calls, so that an ordinary call costs a dozen instructions (and nothing where the kernel's own bitmap of allowed calls
// knows it, Linux 5.11). A call by an entry that the filter does not cover (x32 where it is not listed, another architecture) kills
// the process: the numbers mean other things there, so no rule could be right. Where the default is an error other than ENOSYS,
// calls newer than any the profile names get ENOSYS instead: C libraries then fall back to an older call, where EPERM would be
// taken as the answer.
//
// Compiling takes milliseconds, more than all the rest of a start. So programs are kept in a directory of the caller's, each under
// the SHA-256 of all that went into it, with the versions of this file and of libseccomp. A file is taken only when it is ours, a
// plain file nobody else can write, and of a possible size; it is written whole, synced and linked in at once, so there is never
// half of one.
#ifndef COFFER_CONTAINER_SECCOMP_FILTER_H
#define COFFER_CONTAINER_SECCOMP_FILTER_H

#include "runtime/base/attr.h"

#include <stddef.h>

struct arena;
struct err;
struct oci_seccomp;

// The program (struct sock_filter[]), from the cache if it is there; *ret_size in bytes. It lives in the arena. cache_fd: a
// directory that only we can write to, -1 for none. A cache that cannot be written is no error. No architectures in the section:
// the native one, and on x86-64 that of 32-bit programs too. Names that this libseccomp does not know are passed over, as the
// specification wants.
int seccomp_filter_get(const struct oci_seccomp *seccomp, int cache_fd, struct arena *arena, const void **ret_program,
                       size_t *ret_size, struct err *err) MUST_CHECK;

#endif
