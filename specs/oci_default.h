// The document that `coffer-oci spec` writes: a config.json to start from, which runs sh in a root file system beside it.
#ifndef COFFER_SPECS_OCI_DEFAULT_H
#define COFFER_SPECS_OCI_DEFAULT_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

// What differs for a caller without privileges: a user namespace in which his ids are 0, the host's network, /sys bound from the
// host (a new sysfs needs a network namespace of one's own), no device rules.
struct oci_default {
    bool rootless;
    uint32_t uid; // the caller's effective ids; of rootless only
    uint32_t gid;
};

// Appends the document, indented by tabs.
void oci_config_default_text(const struct oci_default *wish, struct buf *text);

#endif
