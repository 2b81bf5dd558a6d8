// The mount table of this process (proc_pid_mountinfo(5)).
#ifndef COFFER_KERNEL_MOUNTINFO_H
#define COFFER_KERNEL_MOUNTINFO_H

#include "runtime/base/attr.h"

#include <stdint.h>

struct err;

// Undoes the \040 for blanks and their like, in place.
void mountinfo_unescape(char *text);

// The mount point of the first file system of this type, malloc'd and the caller's; NULL in *ret where there is none.
int mountinfo_find_type(const char *type, char **ret, struct err *err) MUST_CHECK;

// In the text of such a table: the mount that this one is mounted on; 0 where it is not in the table.
uint64_t mountinfo_parent(const char *text, uint64_t id);

// The mount point, malloc'd and the caller's, of the mount with this number in a text of proc_pid_mountinfo(5); NULL where there is none.
char *mountinfo_point(const char *text, uint64_t id);

#endif
