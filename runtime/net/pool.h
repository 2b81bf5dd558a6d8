// pool: which subnet a new network gets, when nobody has named one. Pure: what is taken is told.
#ifndef COFFER_NET_POOL_H
#define COFFER_NET_POOL_H

#include "runtime/base/attr.h"
#include "runtime/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Addresses cut into subnets of one size.
struct pool {
    struct subnet span;
    uint8_t prefix; // of each subnet: not shorter than the span's, and at most 63 bits longer
};

// The first subnet of the pool that overlaps none of those taken, looked for from the one numbered `start` (modulo their count) on
// and then from the beginning. False when there is none.
bool pool_choose(const struct pool *pool, uint64_t start, const struct subnet *taken, size_t taken_count,
                 struct subnet *ret) MUST_CHECK;

#endif
