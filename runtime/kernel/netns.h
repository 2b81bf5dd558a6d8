// Network namespaces made ahead of the process that is going to live in them (network_namespaces(7)).
#ifndef COFFER_KERNEL_NETNS_H
#define COFFER_KERNEL_NETNS_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

// Makes one that belongs to the caller's user namespace, and returns it as a descriptor. The caller, who has one thread, is in it from
// then on (stay), which spares three system calls, or for a moment; not to come back from there is an error then.
int netns_create(bool stay, struct err *err) MUST_CHECK;

#endif
