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
    uint32_t owner, group; // host ids of the container's root
};

// Writes the three files into the container's folder.
int etc_write(int dir_fd, const struct etc_request *request, struct err *err) MUST_CHECK;

#endif
