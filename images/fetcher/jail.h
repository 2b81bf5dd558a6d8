// The fetcher lays down what it does not need. Theory of operation: TLS, HTTP and DNS of strangers are parsed by libraries of some
// hundred thousand lines. So the process that does it is nobody where it was root, has no capability and can gain none, writes and
// starts nothing (Landlock, where the kernel has it), and makes no system call but those of files to read, memory, threads and
// sockets of the internet; its caller's files, processes and local sockets are out of reach. What it is given are descriptors.
#ifndef COFFER_IMAGES_FETCHER_JAIL_H
#define COFFER_IMAGES_FETCHER_JAIL_H

#include "runtime/base/attr.h"

struct err;

// Keeps the standard descriptors, as /dev/null, and `socket`.
int fetcher_jail_enter(int socket, struct err *err) MUST_CHECK;

#endif
