#include "images/digest_set.h"

#include "runtime/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 }; // a power of two, as all others

void digest_set_finish(struct digest_set *set) {
    free(set->slots);
    *set = (struct digest_set){0};
}

// Digests are spread evenly as they are. Returns where it is, or where it would be.
static size_t slot_of(const struct digest *slots, size_t room, const struct digest *digest) {
    char start[16];
    snprintf(start, sizeof(start), "%.15s", digest->hex);
    size_t at = (size_t)strtoull(start, NULL, 16) & (room - 1);
    while (slots[at].algorithm != DIGEST_NONE && !digest_equal(&slots[at], digest)) {
        at = (at + 1) & (room - 1);
    }
    return at;
}

bool digest_set_has(const struct digest_set *set, const struct digest *digest) {
    return set->count > 0 && set->slots[slot_of(set->slots, set->room, digest)].algorithm != DIGEST_NONE;
}

static void grow(struct digest_set *set) {
    size_t room = set->room ? 2 * set->room : FIRST_ROOM;
    struct digest *slots = mem_array(room, sizeof(*slots));
    for (size_t i = 0; i < set->room; i++) {
        if (set->slots[i].algorithm != DIGEST_NONE) {
            slots[slot_of(slots, room, &set->slots[i])] = set->slots[i];
        }
    }
    free(set->slots);
    set->slots = slots;
    set->room = room;
}

void digest_set_add(struct digest_set *set, const struct digest *digest) {
    if (2 * (set->count + 1) > set->room) {
        grow(set);
    }
    size_t at = slot_of(set->slots, set->room, digest);
    set->count += set->slots[at].algorithm == DIGEST_NONE;
    set->slots[at] = *digest;
}
