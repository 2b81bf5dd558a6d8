// The features document (runtime-spec, features.md and features-linux.md): what a runtime knows, so that engines need not try. It says
// what was built, not what this host offers.
//
// Names come from the very tables that decode config.json, so that what is listed is what is understood.
#ifndef COFFER_SPECS_OCI_FEATURES_H
#define COFFER_SPECS_OCI_FEATURES_H

#include "specs/values.h"

struct buf;

struct oci_features {
    const char *const *mount_options; // all that are the runtime's own affair, not a file system's
    size_t mount_options_count;
    uint32_t namespaces; // CLONE_NEW*
    bool cgroup_v1, cgroup_v2, cgroup_systemd, cgroup_systemd_user, cgroup_rdma;
    bool seccomp;
    uint32_t seccomp_supported_flags; // SECCOMP_FILTER_FLAG_*, of those that are known
    bool apparmor;
    bool selinux;
    bool memory_policy;
    bool intel_rdt, intel_rdt_schemata, intel_rdt_monitoring;
    bool idmap;
    bool net_devices;
    const struct text_pair *annotations;
    size_t annotations_count;
    const char *const *unsafe_annotations; // of config.json: those that change what the runtime does; a dot at the end: a prefix
    size_t unsafe_annotations_count;
};

// Appends the document, indented.
void oci_features_write(const struct oci_features *features, struct buf *text);

#endif
