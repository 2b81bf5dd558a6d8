// Network namespaces made ahead of the process that is going to live in them (network_namespaces(7)).
#ifndef COFFER_KERNEL_NETNS_H
#define COFFER_KERNEL_NETNS_H

#include "runtime/base/attr.h"

struct err;

// Makes one that belongs to the caller's user namespace, and returns it as a descriptor. The caller, who has one thread, is in it for a
// moment; not to come back from there is an error.
int netns_create(struct err *err) MUST_CHECK;

#endif
