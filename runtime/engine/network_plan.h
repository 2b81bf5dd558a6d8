// What a new network will be, worked out before anything is made: pure, with what is taken already told.
#ifndef COFFER_ENGINE_NETWORK_PLAN_H
#define COFFER_ENGINE_NETWORK_PLAN_H

#include "runtime/base/attr.h"
#include "runtime/engine/network.h"
#include "runtime/net/routes.h"

struct network_surroundings {
    const struct network *networks; // that are there
    size_t network_count;
    const struct route *routes; // of the host
    size_t route_count;
    const struct address *servers; // the host's name servers: a subnet that is chosen does not hide them
    size_t server_count;
    uint64_t random; // where among the local addresses of IPv6 the search begins (RFC 4193, 3.2)
};

// Fills all but id and created_s. ret's strings are borrowed from the request or live in the arena.
int network_plan(struct arena *arena, const struct network_request *request, const struct network_surroundings *around,
                 struct network *ret, struct err *err) MUST_CHECK;

#endif
