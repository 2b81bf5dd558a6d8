// The files that a container gets in its /etc: hosts, hostname, resolv.conf.
#ifndef COFFER_ENGINE_ETC_H
#define COFFER_ENGINE_ETC_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct etc_request {
    const char *hostname;
    bool host_network;
    bool give; // to the host ids of the container's root; otherwise they stay the caller's
    uint32_t owner, group;
};

// Writes the three files, which are not there yet, into the folder `name` below dir_fd.
int etc_write(int dir_fd, const char *name, const struct etc_request *request, struct err *err) MUST_CHECK;

#endif
