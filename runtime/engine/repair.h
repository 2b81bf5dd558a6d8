// repair: everything that killed commands and monitors have left behind, looked for in the whole store and put in order. What other
// commands repair is only what they come by (record_sweep()); here each name, address and published port is held against its container.
//
// Nothing that a living process has is touched: each container's lock, each folder's lock and each staging folder's lock says whether
// somebody is at work.
#ifndef COFFER_ENGINE_REPAIR_H
#define COFFER_ENGINE_REPAIR_H

#include "runtime/base/arena.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct err;

struct repair_item {
    const char *kind;   // container, name, user ids, network, port, staging, volume, process
    const char *name;   // which, for people
    const char *action; // what was done, or why not
    bool failed;
};

struct repair {
    struct repair_item *items;
    size_t count, room;
};

// The items live in the arena. -1 when it could not even look.
int engine_repair(const struct engine *engine, struct arena *arena, struct repair *ret, struct err *err) MUST_CHECK;

#endif
