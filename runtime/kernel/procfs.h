// procfs: files of /proc that only the kernel can have put there.
//
// Theory of operation. What is written to /proc/self/attr or /proc/sys decides how a container is confined. A tmpfs, a link or a bind
// mount laid over such a file would swallow the write, or turn it to another file, and the container would run unconfined
// (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-52881). So the file is found in a procfs of our own, which is attached
// nowhere and so can have nothing mounted on it. Where the kernel refuses one (in a user namespace whose /proc has masks, which
// fsopen(2) would uncover) a private clone of /proc serves, and where that is refused too, /proc itself. All three are checked to be
// the root of a procfs, and below that root no link and no mount is crossed: what was laid over the file then is an error.
//
// A handle shows the processes of the pid namespace it was made in; the caller must be one of them.
#ifndef COFFER_KERNEL_PROCFS_H
#define COFFER_KERNEL_PROCFS_H

#include "runtime/base/attr.h"

struct err;

// A handle: a descriptor of the root of a procfs.
int procfs_open(struct err *err) MUST_CHECK;

// The file or directory at the path below the root ("sys/net/ipv4/ip_forward", "12/attr"); O_CLOEXEC is added to the flags.
// -1 with errno; EXDEV: something is mounted over it, ELOOP: a link is in the way.
int procfs_try_open(int proc_fd, const char *path, int flags) MUST_CHECK;

// The same below the calling process's own directory ("attr/exec"). Of a process with one thread only.
int procfs_try_open_own(int proc_fd, const char *path, int flags) MUST_CHECK;

// Writes the text in one write(2). `what` names the setting in the error: "set WHAT to TEXT: ...".
int procfs_write(int proc_fd, const char *path, const char *text, const char *what, struct err *err) MUST_CHECK;

#endif
