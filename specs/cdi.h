// A file of the Container Device Interface: what a container needs to use a device of some kind (CDI specification 0.8,
// github.com/cncf-tags/container-device-interface). Only decoded here; strings and lists live in the arena.
#ifndef COFFER_SPECS_CDI_H
#define COFFER_SPECS_CDI_H

#include "runtime/base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct json_document;

struct cdi_node {
    const char *path;        // in the container
    const char *host_path;   // NULL: the same
    const char *permissions; // some of "rwm"; NULL: all
};

struct cdi_mount {
    const char *host_path, *container_path;
    const char **options;
    size_t options_count;
};

struct cdi_hook {
    const char *name; // "createContainer"
    const char *path;
};

struct cdi_edits {
    const char **env; // NAME=VALUE
    size_t env_count;
    struct cdi_node *nodes;
    size_t nodes_count;
    struct cdi_mount *mounts;
    size_t mounts_count;
    struct cdi_hook *hooks;
    size_t hooks_count;
    uint32_t *gids;
    size_t gids_count;
};

struct cdi_device {
    const char *name;
    struct cdi_edits edits;
};

struct cdi_spec {
    const char *version;
    const char *kind; // "vendor.com/class"
    struct cdi_device *devices;
    size_t devices_count;
    struct cdi_edits edits; // for each of them
};

// ERR_INPUT names the document and the field.
int cdi_spec_decode(const struct json_document *document, struct arena *arena, struct cdi_spec *ret, struct err *err) MUST_CHECK;

#endif
