// What a pull keeps for the next one, should it be broken off. Private to the room.
//
// A pull on a fast line writes no compressed byte to the disk. One that has waited for the line for some seconds, and by its rate
// has as long to wait still, is slow: from then on what comes of its layers is kept in partial files (images/partial.h), of those
// under way from where they are, of later ones from their beginning. They go when the image is in the store. That is decided for
// the pull as a whole: so that many layers, none of which takes long, are not lost either.
//
// Waiting for the line means that the unpackers do: a pipe to one of them that is more than half full says that the disk or the
// processor is what is waited for, and then reading from a file would be no faster. The time begins anew.
#ifndef COFFER_IMAGES_LOAD_PARTIALS_H
#define COFFER_IMAGES_LOAD_PARTIALS_H

#include "images/load_layers.h"

enum { LOAD_PACE_EVERY_MS = 500 }; // that is looked at at least so often

// Opens what is kept of the layers that wait.
void load_partials_find(struct load_layers *layers);

// What the next download of the layer has of it, and keeps of it.
void load_partials_use(struct load_layers *layers, struct load_layer_job *job, struct registry_blob *blob);

// Looks how fast it goes, and begins to keep when it is slow. Before the start, and at every step. -1 with err: the fetcher writes
// more than there is of a layer.
int load_partials_watch(struct load_layers *layers, struct err *err) MUST_CHECK;

// The image is in the store: they have done their service.
void load_partials_remove(struct load_layers *layers);

#endif
