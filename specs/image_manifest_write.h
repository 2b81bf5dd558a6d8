// Manifests and what they are made of, as JSON: what images/... makes or changes itself. (OCI image-spec v1.1, manifest.md.)
#ifndef COFFER_SPECS_IMAGE_MANIFEST_WRITE_H
#define COFFER_SPECS_IMAGE_MANIFEST_WRITE_H

#include "specs/image_manifest.h"

struct json_writer;

// name: of the member; NULL in a list.
void image_descriptor_write(struct json_writer *writer, const char *name, const struct image_descriptor *descriptor);

// An image's manifest, not an index. It says its media type: OCI's where the struct has none.
void image_manifest_write(struct json_writer *writer, const struct image_manifest *manifest);

// An index, or docker's list of manifests: manifests and annotations of the struct, under its media type, OCI's where it has none.
void image_index_write(struct json_writer *writer, const struct image_manifest *index);

#define IMAGE_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define IMAGE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define IMAGE_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define IMAGE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define IMAGE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

#endif
