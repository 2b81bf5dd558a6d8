// The state document of a container (runtime-spec, "State"): what `state` prints and hooks get.
#ifndef COFFER_CONTAINER_DOCUMENT_H
#define COFFER_CONTAINER_DOCUMENT_H

#include "runtime/container/state_dir.h"

struct buf;
struct oci_config;
struct oci_state;

// The state as a struct, whose strings belong to what it was made of.
void container_fill_state(const struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                          enum oci_status status, struct oci_state *ret);

// Appends the document. config gives the annotations and may be NULL.
void container_document(const struct state_dir *dir, const struct container_record *record, const struct oci_config *config,
                        enum oci_status status, struct buf *document);

#endif
