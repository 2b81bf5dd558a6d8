// The files that a container gets in its /etc: hosts, hostname, resolv.conf.
#ifndef COFFER_ENGINE_ETC_H
#define COFFER_ENGINE_ETC_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct run_request;

struct etc_request {
    const char *hostname;
    bool host_network;
    const char *joined; // whose network it has: the id of a container that runs; NULL: its own
    const struct address *addresses; // its own, on a network; without any, it has none
    size_t address_count;
    const char *resolv; // its resolv.conf there; NULL: empty
    bool keeps_servers; // of `resolv`: they ask those of --dns themselves
    struct address host_gateway; // for --add-host NAME:host-gateway; of no family: none
    const struct run_request *run; // add_hosts and dns...
    bool give;          // to the host ids of the container's root; otherwise they stay the caller's
    uint32_t owner, group;
};

// Whether --add-host and --dns say what can be written.
int etc_check(const struct run_request *run, struct err *err) MUST_CHECK;

// Whether it has --add-host NAME:host-gateway.
bool etc_wants_host_gateway(const struct run_request *run);

// The error of one that has it, and no such address.
int etc_no_host_gateway(struct err *err);

// Writes the three files, which are not there yet, into the folder `name` below dir_fd.
int etc_write(int dir_fd, const char *name, const struct etc_request *request, struct err *err) MUST_CHECK;

// Of one that runs: the files in place, as its mounts show the same ones. What was changed by the container stays as it is, but that
// addresses it has now are added to its hosts.
int etc_update(int dir_fd, const char *name, const struct etc_request *before, const struct etc_request *after, struct err *err) MUST_CHECK;

#endif
