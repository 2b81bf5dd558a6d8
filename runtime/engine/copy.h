// copy: files from a container to the host, back, and from container to container. `coffer cp`, with docker's rules of names.
//
// Theory of operation. Two processes, one at each end, with a pipe between them that carries a tar: one reads, one writes. The one at a
// container's end is no more than the container's root (files.h); both find the place they were told below their root alone (root.h), keep
// its descriptor, and then give away all that they can do but read, or make files, below it (images/unpack_jail.h).
#ifndef COFFER_ENGINE_COPY_H
#define COFFER_ENGINE_COPY_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct err;

struct copy_request {
    const char *from, *to; // CONTAINER:PATH, a path of the host, or "-": a tar on standard input or output
    const char *cwd;       // what paths of the host begin at
    bool archive;          // owners, set-id bits, capabilities and ACLs come along
    bool follow;           // a link as source stands for what it leads to
};

struct copy_result {
    uint64_t left_out; // sockets and devices
};

// Returns when all is there. On an error some of it may be.
int engine_copy(const struct engine *engine, const struct copy_request *request, struct copy_result *ret, struct err *err) MUST_CHECK;

#endif
