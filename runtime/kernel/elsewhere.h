// Work done in another user and network namespace, with this process's own memory and descriptors: what it opens there stays open,
// what it writes down is written down. For those who may not go there themselves, as they could not come back: an ordinary user.
#ifndef COFFER_KERNEL_ELSEWHERE_H
#define COFFER_KERNEL_ELSEWHERE_H

#include "runtime/base/attr.h"

struct err;

// Calls work(context) in a process that shares all with the caller, who is held meanwhile (vfork(2)) and has one thread. There it
// has all capabilities over the user namespace, and may start processes, which are not the caller's children. net_fd -1: stays in
// the network namespace.
int elsewhere_do(int user_fd, int net_fd, int (*work)(void *context, struct err *err), void *context, struct err *err) MUST_CHECK;

#endif
