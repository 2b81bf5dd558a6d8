// What the store's images need: the names of their layers and blobs. Private to the room.
#ifndef COFFER_IMAGES_NEEDED_H
#define COFFER_IMAGES_NEEDED_H

#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct store;

// Keys of layers, and paths of blobs below the store; sorted. The strings live in the arena.
struct needed {
    const char **names;
    size_t count, room;
};

void needed_finish(struct needed *needed);
#define AUTO_NEEDED AUTO(needed_finish)

// Reads all records and tags; one that cannot be read is an error, as nobody can tell what it needs.
int needed_find(const struct store *store, struct arena *arena, struct needed *needed, struct err *err) MUST_CHECK;

bool needed_has(const struct needed *needed, const char *name);

#endif
