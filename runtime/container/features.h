// What this runtime can do, for the features document.
#ifndef COFFER_CONTAINER_FEATURES_H
#define COFFER_CONTAINER_FEATURES_H

struct arena;
struct oci_features;

// Fills all but the annotations. The result lives in the arena.
void container_features(struct arena *arena, struct oci_features *ret);

#endif
