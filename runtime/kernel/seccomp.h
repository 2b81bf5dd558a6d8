// Loading a ready system call filter (seccomp(2)). What it says is worked out elsewhere, by the parent; init only hands it over.
#ifndef COFFER_KERNEL_SECCOMP_H
#define COFFER_KERNEL_SECCOMP_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

// (libseccomp has a seccomp_load of its own.) program: struct sock_filter[], size_bytes a multiple of 8. flags:
// SECCOMP_FILTER_FLAG_*. Needs no_new_privs or CAP_SYS_ADMIN. Returns 0, or with SECCOMP_FILTER_FLAG_NEW_LISTENER the listener's
// descriptor, which is the caller's (Linux 5.0).
int seccomp_load_program(const void *program, size_t size_bytes, uint32_t flags, struct err *err) MUST_CHECK;

// Whether the running kernel takes this flag (SECCOMP_FILTER_FLAG_*). Loads nothing.
bool seccomp_knows_flag(uint32_t flag);

#endif
