// Namespaces of another process (namespaces(7)): which of them are not the caller's own, and so have to be joined.
#ifndef COFFER_KERNEL_NAMESPACE_H
#define COFFER_KERNEL_NAMESPACE_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

// All types (CLONE_NEW*) that there are.
extern const uint64_t namespace_all;

// Of the types in `asked` (CLONE_NEW*), those in which the process is not where the caller is. What the kernel does not know is
// none of them. The answer is about whoever has the number now: a setns(2) on the process's pidfd afterwards fails if that was
// another one.
int namespace_differing(pid_t pid, uint64_t asked, uint64_t *ret_differing, struct err *err) MUST_CHECK;

// The number (inode) of the caller's own namespace of this type.
int namespace_own(uint64_t type, uint64_t *ret_number, struct err *err) MUST_CHECK;

// Whether a process that the caller may look at is in the namespace of this type and number. Looks at all processes.
bool namespace_has_process(uint64_t type, uint64_t number);

// Adds their names with commas between, "none" for none: for messages.
void namespace_add_names(uint64_t namespaces, struct buf *buf);

#endif
