#include "runtime/net/pool.h"

#include <assert.h>

static const struct subnet *find_overlap(const struct subnet *subnet, const struct subnet *taken, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (subnet_overlaps(subnet, &taken[i])) {
            return &taken[i];
        }
    }
    return NULL;
}

// What overlaps is stepped over as a whole: there are at most as many steps as there are subnets taken.
static bool choose_between(const struct pool *pool, uint64_t from, uint64_t end, const struct subnet *taken, size_t taken_count,
                           struct subnet *ret) {
    struct subnet subnet;
    while (from < end && subnet_part(&pool->span, pool->prefix, from, &subnet)) {
        const struct subnet *other = find_overlap(&subnet, taken, taken_count);
        if (!other) {
            *ret = subnet;
            return true;
        }
        from = subnet_part_behind(&pool->span, pool->prefix, other);
    }
    return false;
}

bool pool_choose(const struct pool *pool, uint64_t start, const struct subnet *taken, size_t taken_count, struct subnet *ret) {
    assert(pool->prefix >= pool->span.prefix && pool->prefix - pool->span.prefix < 64);
    uint64_t count = UINT64_C(1) << (pool->prefix - pool->span.prefix);
    return choose_between(pool, start % count, count, taken, taken_count, ret) ||
           choose_between(pool, 0, start % count, taken, taken_count, ret);
}
