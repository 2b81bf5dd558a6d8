// A set of digests. Zeroed is empty.
#ifndef COFFER_IMAGES_DIGEST_SET_H
#define COFFER_IMAGES_DIGEST_SET_H

#include "images/digest.h"

struct digest_set {
    struct digest *slots;
    size_t count, room;
};

void digest_set_finish(struct digest_set *set);
bool digest_set_has(const struct digest_set *set, const struct digest *digest);
void digest_set_add(struct digest_set *set, const struct digest *digest); // once more is fine

#endif
