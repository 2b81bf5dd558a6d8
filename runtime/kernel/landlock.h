// Landlock (landlock(7)): rules that a process lays on itself and its children, about files by their place and TCP ports, for ever and
// on top of all else that it may do. What a ruleset handles is denied but for what its rules allow.
//
// The kernel's header has constants and sizes of its own age, and the one of the build is older than what the program may run on: so
// they stand here.
#ifndef COFFER_KERNEL_LANDLOCK_H
#define COFFER_KERNEL_LANDLOCK_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;

#define LANDLOCK_EXECUTE UINT64_C(0x0001)
#define LANDLOCK_WRITE_FILE UINT64_C(0x0002)
#define LANDLOCK_READ_FILE UINT64_C(0x0004)
#define LANDLOCK_READ_DIR UINT64_C(0x0008)
#define LANDLOCK_CHANGE_DIR UINT64_C(0x1ff0) // remove what is in it, make all kinds of it
#define LANDLOCK_REFER UINT64_C(0x2000)      // move or link between directories: version 2
#define LANDLOCK_TRUNCATE UINT64_C(0x4000)   // version 3
#define LANDLOCK_IOCTL_DEVICE UINT64_C(0x8000) // version 5

#define LANDLOCK_BIND_TCP UINT64_C(1)
#define LANDLOCK_CONNECT_TCP UINT64_C(2)

enum { LANDLOCK_TCP_VERSION = 4 };

// The version of the kernel's interface, from 1 on; 0 where there is none, or it is off.
int landlock_version(void);

// All rights on files that a version knows.
uint64_t landlock_file_rights(int version);

// A ruleset that handles these rights. Returns its descriptor.
int landlock_create(uint64_t file_rights, uint64_t tcp_rights, struct err *err) MUST_CHECK;

// Allows what is at the descriptor (O_PATH) and below it these rights, each of which the ruleset handles; a file those that a file can
// have. Allows a port.
int landlock_allow_path(int ruleset, int fd, uint64_t file_rights, struct err *err) MUST_CHECK;
int landlock_allow_port(int ruleset, uint64_t port, uint64_t tcp_rights, struct err *err) MUST_CHECK;

// From here on the calling thread and its children have the rules. Needs no_new_privs, or CAP_SYS_ADMIN in the user namespace.
int landlock_restrict(int ruleset, struct err *err) MUST_CHECK;

#endif
