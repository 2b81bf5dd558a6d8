// The state document of a container (runtime specification, runtime.md, "State"): what `coffer-oci state` prints, what hooks get on
// their standard input, and what listeners of seccomp get; also read back, by tests and by other tools' habit of passing it on.
#ifndef COFFER_SPECS_OCI_STATE_H
#define COFFER_SPECS_OCI_STATE_H

#include "runtime/base/attr.h"
#include "specs/values.h"

#include <sys/types.h>

struct arena;
struct buf;
struct err;
struct json_document;

enum oci_status {
    OCI_STATUS_CREATING,
    OCI_STATUS_CREATED,
    OCI_STATUS_RUNNING,
    OCI_STATUS_STOPPED,
    OCI_STATUS_PAUSED, // not of the specification, but what all runtimes say of a frozen container
};

struct oci_state {
    const char *oci_version;
    const char *id;
    uint32_t status;    // enum oci_status
    int32_t pid;        // in the runtime's pid namespace; 0 when stopped
    const char *bundle; // absolute
    struct text_pair *annotations;
    size_t annotations_count;
    // Beyond the specification, as runc has it; left out where NULL.
    const char *rootfs;
    const char *created; // RFC 3339
    const char *owner;   // name of the user who created it, "" if he has none
};

const char *oci_status_name(enum oci_status status);

// Appends the document: indented by two spaces with a newline behind it, or on one line.
void oci_state_write(const struct oci_state *state, bool indented, struct buf *text);

// What the listener of a seccomp filter gets with its descriptor (config-linux.md, "The Container Process State").
struct oci_process_state {
    int32_t pid;           // of the process that is filtered, in the runtime's pid namespace
    const char *metadata;  // listenerMetadata, NULL for none
    const char *state;     // the container's state document
};
void oci_process_state_write(const struct oci_process_state *process, struct buf *text);

// Decodes into *ret, whose strings live in the arena.
int oci_state_decode(const struct json_document *document, struct arena *arena, struct oci_state *ret, struct err *err) MUST_CHECK;

#endif
